"""Dagster: one code server, shared by web server and daemon, so that one reload refreshes both."""

import json
import os
import sys
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from feature_platform.errors import ServerError
from feature_platform.local.java import java_environment
from feature_platform.local.process import Command
from feature_platform.local.project import plain_path
from feature_platform.local.server import Port, accepts
from feature_platform.paths import DAGSTER_CONFIGURATION, DEFINITIONS
from feature_platform.settings import Role, Settings, password_variable, server_password

REQUEST_TIMEOUT_S = 30
RELOAD_TIMEOUT_S = 2
NOT_RELOADED = "Dagster may still show old definitions: press Reload there"
LOCATION = "feature_platform"
LOCATIONS = """
{ workspaceOrError { __typename ... on Workspace { locationEntries {
    name loadStatus locationOrLoadError { __typename ... on PythonError { message } } } } } }
"""
RELOAD = f"""
mutation {{ reloadRepositoryLocation(repositoryLocationName: "{LOCATION}") {{ __typename }} }}
"""


class Dagster:
    """The control plane of the embedded stack."""

    name = "dagster"
    start_timeout_s = 300.0
    process_names: tuple[str, ...] = ("dagster-code", "dagster-webserver", "dagster-daemon")
    alone: tuple[str, ...] = process_names

    def __init__(self, settings: Settings) -> None:
        """Keep DAGSTER_HOME in `dagster/` of the stack's folder."""
        self._settings = settings
        self._folder = settings.data / "dagster"

    @property
    def address(self) -> str:
        """The web page."""
        return self._settings.dagster.url

    @property
    def ports(self) -> tuple[Port, ...]:
        """The ports of the web server and of the code server."""
        dagster = self._settings.dagster
        return (
            Port(number=dagster.port, setting="dagster.port"),
            Port(number=dagster.code_port, setting="dagster.code_port"),
        )

    def prepare(self, java_home: Path) -> tuple[Command, ...]:
        """Write DAGSTER_HOME from `dagster_home/` and a workspace that names the code server."""
        dagster = self._settings.dagster
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "dagster.yaml").write_text(
            DAGSTER_CONFIGURATION.read_text(encoding="utf-8"), encoding="utf-8"
        )
        workspace = self._folder / "workspace.yaml"
        workspace.write_text(
            "load_from:\n"
            f"  - grpc_server: {{host: {dagster.host}, port: {dagster.code_port}, "
            f"location_name: {LOCATION}}}\n"
        )
        environment = self._environment(java_home)
        own = self._settings.project / DEFINITIONS.name
        file = own if own.exists() else DEFINITIONS
        code = ("code-server", "start", "-f", str(file), "-d", str(file.parent))
        at = ("-h", dagster.host, "-p")
        return (
            Command(
                name="dagster-code",
                arguments=(_program("dagster"), *code, *at, str(dagster.code_port)),
                environment=environment,
                listens=dagster.code_port,
            ),
            Command(
                name="dagster-webserver",
                arguments=(
                    _program("dagster-webserver"),
                    "-w",
                    str(workspace),
                    *at,
                    str(dagster.port),
                ),
                environment=environment,
            ),
            Command(
                name="dagster-daemon",
                arguments=(_program("dagster-daemon"), "run", "-w", str(workspace)),
                environment=environment,
            ),
        )

    def answers(self) -> bool:
        """Ask for the code location over GraphQL: both servers and the definitions are there.

        Raises:
            ServerError: The definitions do not load.
        """
        if not accepts(self._settings.dagster.port):
            return False
        try:
            workspace = self._ask(LOCATIONS)["workspaceOrError"]
        except (URLError, OSError, ValueError, KeyError, TypeError):
            return False
        entries = workspace.get("locationEntries") or []
        return bool(entries) and all(self._loaded(entry) for entry in entries)

    def _loaded(self, entry: dict[str, Any]) -> bool:
        found = entry["locationOrLoadError"] or {}
        if (
            found.get("__typename") == "PythonError"
            and "UserCodeUnreachable" not in found["message"]
        ):
            msg = f"dagster: the definitions do not load:\n{found['message']}"
            raise ServerError(msg)
        return entry["loadStatus"] == "LOADED" and found.get("__typename") == "RepositoryLocation"

    def _ask(self, query: str) -> dict[str, Any]:
        return ask_page(self._settings, query, REQUEST_TIMEOUT_S)

    def _environment(self, java_home: Path) -> dict[str, str]:
        roles: tuple[Role, ...] = ("admin", "job", "service")
        java = java_environment(java_home)
        return {
            **os.environ,  # it runs the platform, with all that a person's `fp` would have
            **{password_variable(role): server_password(self._settings, role) for role in roles},
            "JAVA_HOME": java["JAVA_HOME"],
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{java['PATH']}",
            "DAGSTER_HOME": str(plain_path(self._settings, self._folder)),
            "FP_PROJECT": str(self._settings.project),
        }


def reload_definitions(settings: Settings) -> str:
    """Ask Dagster's page to read the definitions again; return why it did not, if that is news.

    It is not waited for: reading takes longer than a command should. A Dagster that does not run
    has nothing to show, which is no news.
    """
    try:
        ask_page(settings, RELOAD, RELOAD_TIMEOUT_S)
    except TimeoutError:
        return ""
    except URLError as error:
        quiet = isinstance(error.reason, ConnectionRefusedError | TimeoutError)
        return "" if quiet else f"{NOT_RELOADED} ({error.reason})"
    except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
        return f"{NOT_RELOADED} ({type(error).__name__}: {error})"
    return ""


def ask_page(settings: Settings, query: str, timeout_s: float) -> dict[str, Any]:
    """Ask the page's GraphQL.

    Raises:
        OSError: It does not answer.
        ValueError: It answers something else; so may KeyError and TypeError say.
    """
    body = json.dumps({"query": query}).encode()
    request = Request(f"{settings.dagster.url}/graphql", body, {"Content-Type": "application/json"})
    with urlopen(request, timeout=timeout_s) as response:
        return dict(json.load(response)["data"])


def _program(name: str) -> str:
    return str(Path(sys.executable).parent / name)
