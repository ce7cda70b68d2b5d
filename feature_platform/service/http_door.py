"""The HTTP door: JSON for people and for languages without gRPC; health, metrics, OpenAPI."""

import asyncio
import json
import math
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from feature_platform.errors import (
    CallerError,
    DeadlineExceededError,
    FeaturePlatformError,
    MessageTooLargeError,
    ServerError,
    UnauthenticatedError,
)
from feature_platform.rows.partials import Value
from feature_platform.service.encode import About, Form
from feature_platform.service.failures import Code, Failure, failure, internal
from feature_platform.service.features_pb2 import ListDescription
from feature_platform.service.handler import Arrival, Handler
from feature_platform.service.json_request import asked_of, deadline_s, loaded
from feature_platform.service.lists import Wanted
from feature_platform.service.openapi import document
from feature_platform.service.ports import bound
from feature_platform.service.tls import Certificate
from feature_platform.service.tokens import HEADER, Gate
from feature_platform.serving import FeatureMatrix

DOOR = "http"
RETRY = (429, 503)
"""Codes after which asking again may help."""
BACKLOG = 2048


class HttpDoor:
    """The HTTP server of one worker. Mutable."""

    def __init__(
        self, handler: Handler, gate: Gate, certificate: Certificate | None, *, shared: bool
    ) -> None:
        """Bind the port, and answer nothing yet.

        Args:
            handler: Answers requests.
            gate: Knows the tokens.
            certificate: What TLS shows; None: connections are not encrypted.
            shared: Whether other workers listen on the same port.

        Raises:
            ServerError: The port is taken.
        """
        self._handler = handler
        self._gate = gate
        self._serving = False
        where = handler.settings
        self._socket = bound(where.host, where.http_port, "service.http_port", shared=shared)
        self._server = _Server(_configured(self._application(), certificate))
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Answer.

        Raises:
            ServerError: The server ended at once.
        """
        self._task = asyncio.get_running_loop().create_task(self._server.serve([self._socket]))
        while not self._server.started:
            if self._task.done():
                msg = "the HTTP server ended while it started"
                raise ServerError(msg) from self._task.exception()
            await asyncio.sleep(0.01)

    async def report(self, *, serving: bool) -> None:
        """Let health checks see whether requests should come here."""
        self._serving = serving

    async def stop(self, grace_s: float) -> None:
        """Take no more requests, and let those that are under way finish."""
        self._server.config.timeout_graceful_shutdown = max(1, math.ceil(grace_s))
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        self._socket.close()

    def _application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/features", self._features, methods=["POST"]),
                Route("/lists/{name}", self._list, methods=["GET"]),
                Route("/openapi.json", self._openapi, methods=["GET"]),
                Route("/healthz", self._health, methods=["GET"]),
                Route("/metrics", self._metrics, methods=["GET"]),
            ],
            exception_handlers={404: _nowhere, 405: _otherwise, Exception: _broken},
        )

    async def _features(self, request: Request) -> Response:
        try:
            self._gate.check(request.headers.get(HEADER))
            given = loaded(await self._body(request))
            arrival = Arrival(door=DOOR, left_s=deadline_s(given))
        except (CallerError, DeadlineExceededError, ClientDisconnect) as error:
            return self._refused(error)

        async def parse() -> Any:  # noqa: ANN401 (an `Asked`)
            return asked_of(given)

        found = await self._handler.features(arrival, parse, render)
        if isinstance(found, Failure):
            return _failed(found)
        return Response(found, media_type="application/json")

    async def _list(self, request: Request) -> Response:
        arrival = Arrival(door=DOOR, left_s=None)

        async def parse() -> Wanted:
            self._gate.check(request.headers.get(HEADER))
            version = request.query_params.get("version", "0")
            if not version.isascii() or not version.isdecimal():
                msg = f"version is {version!r}; write a number, such as 3"
                raise CallerError(msg)
            return Wanted(name=request.path_params["name"], version=int(version))

        found = await self._handler.describe(arrival, parse)
        return _failed(found) if isinstance(found, Failure) else JSONResponse(_described(found))

    async def _body(self, request: Request) -> bytes:
        """Read a body, as long and for as long as the settings allow.

        Raises:
            MessageTooLargeError: It is longer; the rest is not read.
            DeadlineExceededError: It took longer.
        """
        settings = self._handler.settings
        try:
            async with asyncio.timeout(settings.deadline_max_ms / 1000):
                return await _body(request, settings.message_bytes_max)
        except TimeoutError as error:
            msg = f"the body did not come within {settings.deadline_max_ms} ms"
            raise DeadlineExceededError(msg) from error

    def _refused(self, error: FeaturePlatformError | ClientDisconnect) -> Response:
        """Answer what did not come as far as the handler."""
        if isinstance(error, ClientDisconnect):
            self._handler.metrics.answered(DOOR, "", "CANCELLED", 0.0)
            return Response(status_code=499)
        refused = failure(error)
        self._handler.metrics.answered(DOOR, "", refused.name, 0.0)
        return _failed(refused)

    async def _openapi(self, _: Request) -> Response:
        return JSONResponse(document(self._handler.settings))

    async def _health(self, _: Request) -> Response:
        status = "SERVING" if self._serving else "NOT_SERVING"
        return JSONResponse({"status": status}, status_code=200 if self._serving else 503)

    async def _metrics(self, request: Request) -> Response:
        try:
            self._gate.check(request.headers.get(HEADER))
        except UnauthenticatedError as error:
            return _failed(failure(error))
        text, kind = self._handler.metrics.text(request.headers.get("accept", ""))
        return Response(text, headers={"content-type": kind})


class _Server(uvicorn.Server):
    """Leaves signals to the worker."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def render(matrix: FeatureMatrix, about: About, form: Form) -> bytes:
    """Write an answer as JSON."""
    answer: dict[str, Any] = {"list": about.name, "version": about.version}
    if form.layout == "rows":
        rows = matrix.to_dicts()
        if form.states:
            for row, states in zip(rows, matrix.states.tolist(), strict=True):
                row["states"] = dict(zip(matrix.names, states, strict=True))
        answer["rows"] = rows
    else:
        answer |= {"status": matrix.status, "errors": matrix.errors}
        answer["entities"] = matrix.keys
        answer["columns"] = _columns(matrix, form)
    text = json.dumps(answer, ensure_ascii=False, allow_nan=False)
    return text.encode(errors="backslashreplace")  # half of a pair, as JSON escapes it


def _columns(matrix: FeatureMatrix, form: Form) -> list[dict[str, Any]]:
    named = zip(matrix.names, matrix.types, matrix.columns, strict=True)
    columns: list[dict[str, Any]] = [
        {"name": name, "type": type_, "values": list(map(_finite, column.to_list()))}
        for name, type_, column in named
    ]
    if form.states:
        for place, column in enumerate(columns):
            column["states"] = matrix.states[:, place].tolist()
    return columns


def _finite(value: Value) -> Value:
    """Return None for the infinities, which JSON cannot write."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _described(found: ListDescription) -> dict[str, Any]:
    return {
        "list": found.list,
        "version": found.version,
        "columns": [
            {"name": head.name, "type": head.type, "kind": head.kind} for head in found.heads
        ],
        "kinds": [
            {"name": kind.name, "type": kind.type, "featuresets": list(kind.featuresets)}
            for kind in found.kinds
        ],
        "entities_max": found.entities_max,
    }


async def _body(request: Request, bytes_max: int) -> bytes:
    """Read a body as far as it is allowed to be long.

    Raises:
        MessageTooLargeError: It is longer; the rest is not read.
    """
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > bytes_max:
            msg = f"the body has more than {bytes_max} bytes (service.message_bytes_max): split it"
            raise MessageTooLargeError(msg)
        parts.append(part)
    return b"".join(parts)


def _failed(found: Failure) -> Response:
    error: dict[str, Any] = {"code": found.name, "kind": found.error, "message": found.message}
    if found.unavailable:
        error |= {"unavailable": found.unavailable, "entities": found.entities}
    headers = {"retry-after": "1"} if found.code.http in RETRY else {}
    if found.code.http == 401:  # noqa: PLR2004 (a code of HTTP)
        headers["www-authenticate"] = "Bearer"
    return JSONResponse({"error": error}, status_code=found.code.http, headers=headers)


async def _nowhere(request: Request, _: Exception) -> Response:
    """Answer for a path that there is not."""
    message = f"there is no {request.url.path}; /openapi.json says which paths there are"
    code = Code(grpc=grpc.StatusCode.NOT_FOUND, http=404)
    return _failed(Failure(code=code, error=CallerError.__name__, message=message))


async def _otherwise(request: Request, error: Exception) -> Response:
    """Answer for a method that a path does not have."""
    headers = getattr(error, "headers", None) or {}
    message = f"{request.method} of {request.url.path} is not answered: use {headers.get('Allow')}"
    code = Code(grpc=grpc.StatusCode.UNIMPLEMENTED, http=405)
    answer = _failed(Failure(code=code, error=CallerError.__name__, message=message))
    answer.headers.update(headers)
    return answer


async def _broken(_: Request, __: Exception) -> Response:
    """Answer for a mistake in the door itself, whose traceback is in the log."""
    return _failed(internal())


def _configured(application: Callable[..., Awaitable[None]], tls: Certificate | None) -> Any:  # noqa: ANN401 (uvicorn's)
    encrypted: dict[str, Any] = {}
    if tls is not None:
        encrypted = {"ssl_certfile": tls.certificate_file, "ssl_keyfile": tls.key_file}
        if tls.client_ca_file:
            encrypted |= {
                "ssl_ca_certs": tls.client_ca_file,
                "ssl_cert_reqs": ssl.CERT_REQUIRED,
            }
    return uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        lifespan="off",
        http="httptools",
        ws="none",
        backlog=BACKLOG,
        server_header=False,
        **encrypted,
    )
