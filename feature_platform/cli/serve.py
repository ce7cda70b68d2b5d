"""`fp serve`: the serving service, by gRPC and HTTP."""

from collections.abc import Mapping
from typing import Annotated

import typer
from pydantic import ValidationError

from feature_platform.cli.output import message
from feature_platform.extras import require
from feature_platform.service_settings import (
    TOKEN,
    ServiceSettings,
    is_in_clear,
    service_tokens,
)
from feature_platform.settings import Settings
from feature_platform.words import counted


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(serve)


def serve(
    context: typer.Context,
    workers: Annotated[
        int | None,
        typer.Option(help="Processes that share the ports; about one for each core.", min=1),
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; 0.0.0.0 for all of the machine.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port of gRPC.", min=1, max=65_535)] = None,
    http_port: Annotated[
        int | None, typer.Option(help="Port of HTTP; 0 for no HTTP.", min=0, max=65_535)
    ] = None,
) -> None:
    """Serve features to programs in any language, by gRPC and by HTTP with JSON.

    Runs until it is stopped. On SIGTERM or Ctrl-C it reports NOT_SERVING to health checks, answers
    what has come in, and ends; a second signal ends it at once. A worker that dies is started
    again. Clients send the token in FP_SERVICE_TOKEN; everything else is a setting of [service].
    """
    require("fp serve", "service")
    from feature_platform.service.ports import check_free
    from feature_platform.service.supervisor import Crew, supervise, worker_command

    given = {"workers": workers, "host": host, "port": port, "http_port": http_port}
    changed = {name: value for name, value in given.items() if value is not None}
    settings: Settings = context.obj
    service = _changed(settings.service, changed)
    tokens = service_tokens(service)
    check_free(service)
    if is_in_clear(service, tokens):
        message(f"warning: {TOKEN} is sent unencrypted: set service.certificate_file")
    crew = Crew(
        command=worker_command(settings.project),
        count=service.workers,
        restarts_max=service.restarts_max,
        stop_s=(service.notice_ms + service.drain_ms) / 1000,
        environment={f"FP_SERVICE__{name.upper()}": str(each) for name, each in changed.items()},
    )
    doors = f"gRPC on {service.address}"
    if service.http_port:
        doors += f", HTTP on {service.http_address}"
    message(f"starting {counted(service.workers, 'worker')}")
    supervise(crew, message, f"serving: {doors}")


def _changed(settings: ServiceSettings, changed: Mapping[str, object]) -> ServiceSettings:
    """Return settings with what the options say.

    Raises:
        typer.BadParameter: That does not fit the rest.
    """
    try:
        return ServiceSettings.model_validate(settings.model_dump() | dict(changed))
    except ValidationError as error:
        msg = "; ".join(each["msg"].removeprefix("Value error, ") for each in error.errors())
        raise typer.BadParameter(msg) from error
