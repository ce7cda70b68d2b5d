/** The ports in Cassandra or ScyllaDB. The only package that knows the driver. */
package io.featureplatform.kernel.store.cql;
