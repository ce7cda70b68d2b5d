"""The store: one Cassandra node from Maven's jars; it speaks ScyllaDB's protocol and CQL.

Passwords are on: the default superuser's is replaced by a generated one before anything else.
"""

import json
import os
from pathlib import Path

from feature_platform.local.cassandra_roles import secure
from feature_platform.local.jars import fetch_jars
from feature_platform.local.process import Command
from feature_platform.local.server import Port, accepts
from feature_platform.local.tls import server_identity
from feature_platform.settings import Settings

HEAP = ("-Xms1024m", "-Xmx1024m", "-XX:MaxDirectMemorySize=256m")

THREADS_PER_CORE = 2

YAML = """\
cluster_name: fp
num_tokens: 1
initial_token: 0
auto_bootstrap: false
endpoint_snitch: SimpleSnitch
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
listen_address: 127.0.0.1
rpc_address: 127.0.0.1
native_transport_port: {port}
storage_port: {storage_port}
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters: [{{seeds: "127.0.0.1:{storage_port}"}}]
authenticator: PasswordAuthenticator
authorizer: CassandraAuthorizer
role_manager: CassandraRoleManager
data_file_directories: ["{folder}/data"]
commitlog_directory: "{folder}/commitlog"
saved_caches_directory: "{folder}/saved_caches"
hints_directory: "{folder}/hints"
cdc_raw_directory: "{folder}/cdc_raw"
{encryption}
{commitlog_sync}
commitlog_segment_size: 32MiB
disk_access_mode: mmap_index_only
# All servers share the machine: more threads than cores only take turns.
native_transport_max_threads: {threads}
concurrent_writes: {threads}
concurrent_reads: {threads}
# A machine that is busy with the other servers is slow, not dead.
read_request_timeout: 10s
range_request_timeout: 15s
write_request_timeout: 10s
cas_contention_timeout: 5s
request_timeout: 15s
# Heads are overwritten all the time: what is flushed late is compacted seldom.
memtable_heap_space: 256MiB
memtable_offheap_space: 256MiB
memtable_flush_writers: 1
memtable_allocation_type: offheap_objects
memtable:
  configurations:
    trie: {{class_name: TrieMemtable}}
    default: {{inherits: trie}}
storage_compatibility_mode: NONE
sstable:
  selected_format: bti
file_cache_size: 64MiB
auto_snapshot: false
# A batch of more than 4 KiB is of one entity, one partition; the default, 50 KiB, is for many.
batch_size_warn_threshold: 1MiB
batch_size_fail_threshold: 8MiB
"""

COMMITLOG_SYNC = {
    "periodic": "commitlog_sync: periodic\ncommitlog_sync_period: 1000ms",
    "group": "commitlog_sync: group\ncommitlog_sync_group_window: 5ms",
}

ENCRYPTION = """\
client_encryption_options:
  enabled: true
  optional: false
  ssl_context_factory:
    class_name: org.apache.cassandra.security.PEMBasedSslContextFactory
  keystore: {identity}
  truststore: {authorities}
  require_client_auth: {asks}
"""

LOGBACK = """\
<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%date %level %msg \\(%logger{20}\\)%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="out"/></root>
</configuration>
"""

_UNNAMED = "=ALL-UNNAMED"
_EXPORTS = (
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.ref",
    "java.base/sun.nio.ch",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.sql/java.sql",
    "jdk.unsupported/sun.misc",
)
_OPENS = (
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/java.lang.module",
    "java.base/java.lang.reflect",
    "java.base/java.math",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.util.jar",
    "java.base/jdk.internal.vm",
    "java.base/sun.nio.ch",
    "jdk.compiler/com.sun.tools.javac.file",
    "jdk.management/com.sun.management.internal",
)
JVM_17 = (
    "-Djava.security.manager=allow",
    "-Djdk.attach.allowAttachSelf=true",
    *(f"--add-exports={module}{_UNNAMED}" for module in _EXPORTS),
    *(f"--add-opens={module}{_UNNAMED}" for module in _OPENS),
)
SINGLE_NODE = (
    "-Dcassandra.skip_wait_for_gossip_to_settle=0",
    "-Dcassandra.ring_delay_ms=0",
    "-Dcassandra.superuser_setup_delay_ms=0",
    "-Dcassandra.foreground=yes",
    "-Dcassandra-foreground=yes",
    # A login hashes its password; ours are long and random, so that nobody can guess them.
    "-Dcassandra.auth_bcrypt_gensalt_log2_rounds=4",
)


class Cassandra:
    """The store of the embedded stack."""

    name = "cassandra"
    start_timeout_s = 300.0
    process_names: tuple[str, ...] = ("cassandra",)
    alone: tuple[str, ...] = ()

    def __init__(self, settings: Settings) -> None:
        """Keep its data in `cassandra/` of the stack's folder."""
        self._settings = settings
        self._folder = settings.data / "cassandra"

    @property
    def address(self) -> str:
        """The contact point."""
        return f"{self._settings.store.host}:{self._settings.store.port}"

    @property
    def ports(self) -> tuple[Port, ...]:
        """The port of clients and that of other nodes, which a single node opens, too."""
        store = self._settings.store
        return (
            Port(number=store.port, setting="store.port"),
            Port(number=store.storage_port, setting="store.storage_port"),
        )

    def prepare(self, java_home: Path) -> tuple[Command, ...]:
        """Write the configuration."""
        jars = fetch_jars(self._settings, "cassandra", java_home)
        self._folder.mkdir(parents=True, exist_ok=True)
        store = self._settings.store
        yaml = self._folder / "cassandra.yaml"
        logback = self._folder / "logback.xml"
        yaml.write_text(
            YAML.format(
                port=store.port,
                storage_port=store.storage_port,
                folder=self._folder,
                threads=THREADS_PER_CORE * (os.cpu_count() or 1),
                commitlog_sync=COMMITLOG_SYNC[store.commitlog_sync],
                encryption=self._encryption(),
            ),
            encoding="utf-8",
        )
        logback.write_text(LOGBACK)
        arguments = (
            str(java_home / "bin" / "java"),
            *HEAP,
            "-XX:+ExitOnOutOfMemoryError",
            *JVM_17,
            *SINGLE_NODE,
            f"-Dcassandra.config={yaml.as_uri()}",
            f"-Dcassandra.storagedir={self._folder}",
            f"-Dlogback.configurationFile={logback}",
            *("-cp", f"{jars}/*", "org.apache.cassandra.service.CassandraDaemon"),
        )
        return (Command(name="cassandra", arguments=arguments),)

    def _encryption(self) -> str:
        tls = self._settings.store.tls
        if not tls.enabled:
            return ""
        return ENCRYPTION.format(
            identity=json.dumps(str(server_identity(self._settings, "store.tls.enabled"))),
            authorities=json.dumps(tls.ca_file),
            asks="true" if tls.certificate_file else "false",
        )

    def answers(self) -> bool:
        """Log in with the roles in place and select."""
        if not accepts(self._settings.store.port):
            return False
        return secure(self._settings)
