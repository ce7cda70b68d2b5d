"""Where tiles live: narrow ports, the shipped fake, and Cassandra or ScyllaDB behind CQL."""
