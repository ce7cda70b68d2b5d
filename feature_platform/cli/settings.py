"""`fp settings`: every setting with its default, its value and where that comes from.

The list is read from the models of `feature_platform.settings`: nothing is listed a second time.
"""

import ast
import inspect
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Annotated, Any, get_args

import typer
from pydantic import BaseModel
from rich.table import Column

from feature_platform.changelog_settings import PASSWORD_VARIABLE as CHANGELOG_PASSWORD
from feature_platform.cli.changes import Json
from feature_platform.cli.output import cell, output, print_json, say, table
from feature_platform.service_settings import TOKEN
from feature_platform.settings import (
    KAFKA_PASSWORD,
    SETTINGS_FILE,
    Role,
    Settings,
    embedded_passwords,
    password_variable,
)

MASKED = "***"
PASSWORD = "password of "  # noqa: S105 (the beginning of a name)
DEFAULT, ENVIRONMENT, SECRETS, NOWHERE = "default", "environment", ".fp/secrets", "not set"
_SECRET = re.compile(
    r"password|passwd|passphrase|secret|token|credential|jaas|api.?key|access.?key|private.?key"
    r"|ssl\.key|sasl\.(?:username|oauth)",
    re.IGNORECASE,
)
_BARE = re.compile(r"[A-Za-z0-9_-]+")
"""A key that TOML takes without quotes."""
_IN_ADDRESS = re.compile(r"(://[^/@\s:]*):[^/@\s]*@")

_IN_TEXT = re.compile(
    r"((?:password|passwd|secret|token|key|credential)[\w.-]*\s*[=:]\s*|\b(?:bearer|basic)\s+)[^\s,;'\"]+",
    re.IGNORECASE,
)
"""A secret inside of a longer text: an option of Java's, a header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting as it is in force."""

    name: str
    """As in the file: `store.port`."""
    value: Any
    default: Any
    origin: str
    """default, feature_platform.toml, environment, .fp/secrets, or not set."""
    variable: str
    """The environment variable that overrides it; empty if none does."""
    about: str


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("settings")(settings_)


def settings_(
    context: typer.Context,
    *,
    as_toml: Annotated[
        bool,
        typer.Option("--toml", help=f"Print a commented {SETTINGS_FILE}; lines without # are set."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Show every setting: its value, its default, and where the value comes from.

    Secrets are masked.
    """
    found = settings_of(context.obj, os.environ)
    if as_json:
        print_json([asdict(item) for item in found])
    elif as_toml:
        say("\n".join(_toml(found)))
    else:
        shown = table(Column("setting", no_wrap=True), "value", "origin")
        for item in found:
            was = f" (default {_written(item.default)})" if item.value != item.default else ""
            known = item.origin not in {SECRETS, NOWHERE} and item.default is not None
            shown.add_row(item.name, _written(item.value), f"{item.origin}{was if known else ''}")
        output.print(shown)
        say(
            "environment variables override the file: FP_STORE__PORT sets store.port. For what "
            "each setting means: fp settings --toml"
        )


def settings_of(settings: Settings, environment: Mapping[str, str]) -> list[Setting]:
    """Return all settings in the order of the models, the store's passwords last.

    Args:
        settings: The settings in force.
        environment: The variables that they were read from, too.

    Raises:
        OSError: The settings file cannot be read any more.
    """
    path = settings.project / SETTINGS_FILE
    file = tomllib.loads(path.read_text("utf-8")) if path.exists() else {}
    return [*_fields(settings, (), file, environment), *_passwords(settings, environment)]


def _fields(
    model: BaseModel,
    path: tuple[str, ...],
    file: Any,  # noqa: ANN401 (TOML)
    environment: Mapping[str, str],
) -> Iterator[Setting]:
    abouts = _abouts(type(model))
    for name, field in type(model).model_fields.items():
        here, value = (*path, name), getattr(model, name)
        there = file.get(name) if isinstance(file, dict) else None
        if isinstance(value, BaseModel):
            yield from _fields(value, here, there, environment)
        elif isinstance(value, dict) and value:
            for key, item in value.items():
                origin = SETTINGS_FILE if isinstance(there, dict) and key in there else DEFAULT
                yield _setting((*here, key), item, None, origin, abouts.get(name, ""))
        else:
            default = None if field.is_required() else field.get_default(call_default_factory=True)
            origin = _origin(here, environment, set_in_file=there is not None)
            yield _setting(here, value, default, origin, abouts.get(name, ""))


def _abouts(model: type[BaseModel]) -> Mapping[str, str]:
    """Return what the source says of a section's settings: the string below each."""
    found: dict[str, str] = {}
    for section in reversed(model.__mro__[: model.__mro__.index(BaseModel)]):
        (parsed,) = ast.parse(inspect.getsource(section)).body
        for field, below in pairwise(parsed.body if isinstance(parsed, ast.ClassDef) else ()):
            match field, below:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    found[name] = text
    return found


def _origin(path: tuple[str, ...], environment: Mapping[str, str], *, set_in_file: bool) -> str:
    if path == ("project",):
        return "--project"
    if _variable(path) in environment:
        return ENVIRONMENT
    return SETTINGS_FILE if set_in_file else DEFAULT


def _variable(path: tuple[str, ...]) -> str:
    """Return what overrides a setting; those outside of a section have no variable."""
    return f"FP_{'__'.join(path)}".upper() if len(path) > 1 else ""


def _setting(
    path: tuple[str, ...], value: object, default: object, origin: str, about: str
) -> Setting:
    name = ".".join(part if _BARE.fullmatch(part) else json.dumps(part) for part in path)
    return Setting(
        name=name,
        value=_shown(name, value),
        default=_shown(name, default),
        origin=origin,
        variable=_variable(path) if not isinstance(value, dict) else "",
        about=" ".join(about.split()),
    )


def _shown(name: str, value: object) -> Any:  # noqa: ANN401 (JSON)
    """Return a value that may be printed."""
    if value and _SECRET.search(name):
        return MASKED
    if isinstance(value, bool | int | float | dict | list) or value is None:
        return value
    text = _IN_ADDRESS.sub(rf"\1:{MASKED}@", str(value))
    return _IN_TEXT.sub(rf"\1{MASKED}", text)


def _passwords(settings: Settings, environment: Mapping[str, str]) -> Iterator[Setting]:
    secrets = embedded_passwords(settings) if settings.store.is_local else {}
    named = {password_variable(role): f"fp_{role} of the store" for role in get_args(Role)}
    named |= {KAFKA_PASSWORD: "kafka.security.user", CHANGELOG_PASSWORD: "changelog.user"}
    for name, whose in named.items():
        origin = ENVIRONMENT if environment.get(name) else SECRETS if name in secrets else NOWHERE
        yield Setting(
            name=f"{PASSWORD}{whose}",
            value=None if origin == NOWHERE else MASKED,
            default=None,
            origin=origin,
            variable=name,
            about="never in the file: from the environment, or generated for the embedded store",
        )
    yield Setting(
        name="token of the service",
        value=MASKED if environment.get(TOKEN) else None,
        default=None,
        origin=ENVIRONMENT if environment.get(TOKEN) else NOWHERE,
        variable=TOKEN,
        about="what clients of fp serve send; never in the file",
    )


def _written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool) else cell(value)


def _toml(found: list[Setting]) -> Iterator[str]:
    """Write a settings file: what is a default is a comment."""
    yield f"# {SETTINGS_FILE}: lines that begin with # are defaults."
    section = ""
    for item in found:
        table_name, _, key = item.name.partition(".")
        if not key or item.name.startswith(PASSWORD):
            continue
        if table_name != section:
            section = table_name
            yield f"\n[{section}]"
        if item.about:
            yield f"# {item.about}"
        chosen = item.origin == SETTINGS_FILE and MASKED not in str(item.value)
        if item.default is None and not chosen and not isinstance(item.value, dict):
            yield f"# {key} = ..."
            continue
        written = item.value if chosen else item.default
        value = "{}" if isinstance(item.value, dict) else json.dumps(written)
        yield f"{'' if chosen else '# '}{key} = {value}"
