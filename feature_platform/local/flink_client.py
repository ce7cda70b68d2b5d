"""Flink's command line client, started the short way: in half the time of `bin/flink`.

The script starts a second JVM only to read the configuration, unpacks the planner from a jar inside
a jar, and loads 14,000 classes one by one. Here Python reads the configuration, the planner's own
jar is on the class path, and the classes come from an archive (`class_archive`). Measured: 12.6 s
a submission by the script, 6.5 s so.
"""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

from feature_platform.errors import ServerError
from feature_platform.local.class_archive import class_archive, facts_of
from feature_platform.local.environment import FLINK, chosen
from feature_platform.local.flink_home import find_flink_home
from feature_platform.local.jars import fetch_jars
from feature_platform.local.java import UNICODE, find_java_home
from feature_platform.settings import Settings

MAIN = "org.apache.flink.client.cli.CliFrontend"
WRAPPED_PLANNER = "flink-table-planner-loader-*.jar"


class FlinkClient:
    """Starts the client, or another program that has Flink's classes."""

    def __init__(
        self,
        settings: Settings,
        conf: Path,
        main: str = MAIN,
        jars: Sequence[Path] = (),
    ) -> None:
        """Use a cluster's configuration folder.

        Args:
            settings: Where jars are kept.
            conf: The configuration folder.
            main: The program's class.
            jars: That it needs beside Flink's.

        Raises:
            ServerError: It has no configuration; or jars or a JDK are missing.
        """
        self._home = find_flink_home()
        self._conf = conf
        self._options = _read_options(conf / "config.yaml")
        java_home = self._options.get("env.java.home")
        self._java_home = Path(java_home) if java_home else find_java_home()
        planner = fetch_jars(settings, "planner", self._java_home).glob("*.jar")
        lib = self._home / "lib"
        flink = sorted({*lib.glob("*.jar"), *planner} - {*lib.glob(WRAPPED_PLANNER)})
        self._jars = [*jars, *flink]
        self._main = main
        name = "flink-client" if main == MAIN else f"flink-{main.rpartition('.')[2]}"
        self._archives = settings.cache.expanduser() / name
        self._log = settings.data / "logs" / f"{name}.log"

    @contextmanager
    def running(self, arguments: Sequence[str], output: Path) -> Iterator[subprocess.Popen[bytes]]:
        """Run the client while the block does, which ends it.

        Args:
            arguments: Of the command.
            output: Gets what it prints.
        """
        of = (str(self._java_home), facts_of(self._jars))
        with (
            output.open("wb") as file,
            class_archive(self._archives, of) as archive,
            subprocess.Popen(
                [*self._java(archive), self._main, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**chosen(FLINK), **UNICODE, **self._folders()},
            ) as process,
        ):
            yield process

    def _java(self, archive: Sequence[str]) -> list[str]:
        logging = (self._conf / "log4j-cli.properties").resolve().as_uri()
        options = (self._options.get(f"env.java.opts.{name}", "") for name in ("all", "client"))
        return [
            str(self._java_home / "bin" / "java"),
            *(word for text in options for word in text.split()),
            *archive,
            f"-Dlog.file={self._log}",
            f"-Dlog4j.configurationFile={logging}",
            *("-classpath", ":".join(map(str, [*self._jars, self._conf]))),
        ]

    def _folders(self) -> dict[str, str]:
        """Return what `bin/config.sh` passes to the client by environment variables."""
        folders = {name: str(self._home / name) for name in ("bin", "lib", "opt", "plugins")}
        return {
            "FLINK_HOME": str(self._home),
            "FLINK_CONF_DIR": str(self._conf),
            **{f"FLINK_{name.upper()}_DIR": folder for name, folder in folders.items()},
        }


def _read_options(path: Path) -> dict[str, str]:
    """Read a `config.yaml`, whose keys may be nested or dotted."""
    if not path.exists():
        msg = f"no Flink configuration at {path}: run `fp up`, or set FLINK_CONF_DIR"
        raise ServerError(msg)
    return dict(_flatten("", yaml.safe_load(path.read_text()) or {}))


def _flatten(prefix: str, node: object) -> Iterator[tuple[str, str]]:
    if not isinstance(node, dict):
        yield prefix, str(node)
        return
    for name, value in node.items():
        yield from _flatten(f"{prefix}.{name}" if prefix else str(name), value)
