"""Where tiles live: narrow ports, the shipped in-memory store, and Cassandra or ScyllaDB behind CQL."""
