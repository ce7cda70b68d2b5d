"""The gRPC door: messages to requests and back, codes for errors, health and reflection."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn

import grpc
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import SERVICE_NAME as HEALTH
from grpc_health.v1.health import aio as health
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from grpc_reflection.v1alpha import reflection

from feature_platform.errors import CallerError, ServerError, UnauthenticatedError
from feature_platform.service.encode import Form, Layout
from feature_platform.service.failures import DETAIL, Failure, failure
from feature_platform.service.features_pb2 import (
    DESCRIPTOR,
    DescribeListRequest,
    GetFeaturesRequest,
    Keys,
)
from feature_platform.service.handler import Arrival, Asked, Handler
from feature_platform.service.lists import Wanted
from feature_platform.service.shape import Numbers
from feature_platform.service.tls import Certificate
from feature_platform.service.tokens import HEADER, Gate
from feature_platform.service_settings import ServiceSettings

SERVICE = DESCRIPTOR.services_by_name["Features"].full_name
DOOR = "grpc"
OPEN = f"/{HEALTH}/"
"""What is answered without a token: probes have none."""
MESSAGE_CHARACTERS_MAX = 2_000
"""Of an error: it travels in a header."""
NUMBERS: tuple[Numbers, ...] = ("exact", "float64", "float32")
LAYOUTS: tuple[Layout, ...] = ("columns", "rows", "packed")


class GrpcDoor:
    """The gRPC server of one worker. Mutable."""

    def __init__(
        self, handler: Handler, gate: Gate, certificate: Certificate | None, *, shared: bool
    ) -> None:
        """Listen, and answer nothing yet.

        Args:
            handler: Answers requests.
            gate: Knows the tokens.
            certificate: What TLS shows; None: connections are not encrypted.
            shared: Whether other workers listen on the same port.

        Raises:
            ServerError: The port is taken.
        """
        settings = handler.settings
        self._handler = handler
        self._health = health.HealthServicer()
        self._server = grpc.aio.server(
            interceptors=[_TokenInterceptor(gate, handler)],
            options=_options(settings, shared=shared),
        )
        calls = {"GetFeatures": self._get_features, "DescribeList": self._describe_list}
        methods = {name: grpc.unary_unary_rpc_method_handler(call) for name, call in calls.items()}
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE, methods),)
        )
        add_HealthServicer_to_server(self._health, self._server)
        names = (SERVICE, HEALTH, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)
        _bind(self._server, settings.address, certificate)

    async def start(self) -> None:
        """Answer."""
        await self._server.start()

    async def report(self, *, serving: bool) -> None:
        """Let health checks see whether requests should come here."""
        status = health_pb2.HealthCheckResponse.ServingStatus
        for name in ("", SERVICE):
            await self._health.set(name, status.SERVING if serving else status.NOT_SERVING)

    async def stop(self, grace_s: float) -> None:
        """Take no more requests, and let those that are under way finish."""
        await self._server.stop(grace_s)

    async def _get_features(self, data: bytes, context: Any) -> bytes:  # noqa: ANN401 (gRPC's)
        async def parse() -> Asked:
            return asked_of(_parsed(GetFeaturesRequest, data))

        return await self._answer(context, self._handler.features(_arrival(context), parse))

    async def _describe_list(self, data: bytes, context: Any) -> bytes:  # noqa: ANN401 (gRPC's)
        async def parse() -> Wanted:
            request = _parsed(DescribeListRequest, data)
            return Wanted(
                name=request.list, version=request.version, features=tuple(request.features)
            )

        return await self._answer(context, self._handler.describe(_arrival(context), parse))

    async def _answer(
        self,
        context: Any,  # noqa: ANN401 (gRPC's)
        answer: Awaitable[bytes | Message | Failure],
    ) -> bytes:
        found = await answer
        if isinstance(found, bytes):
            return found
        if isinstance(found, Message):
            return found.SerializeToString()
        return await _abort(context, found)


class _TokenInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # it has no types
    """Lets through who sends a token; health is open to all."""

    def __init__(self, gate: Gate, handler: Handler) -> None:
        self._gate = gate
        self._handler = handler

    async def intercept_service(
        self,
        continuation: Callable[[Any], Awaitable[Any]],
        details: Any,  # noqa: ANN401 (gRPC's)
    ) -> Any:  # noqa: ANN401 (gRPC's)
        if details.method.startswith(OPEN):
            return await continuation(details)
        given = next((value for key, value in details.invocation_metadata if key == HEADER), None)
        try:
            self._gate.check(given)
        except UnauthenticatedError as error:
            refused = failure(error)
            self._handler.metrics.answered(DOOR, "", refused.name, 0.0)

            async def refuse(_: object, context: Any) -> None:  # noqa: ANN401 (gRPC's)
                await _abort(context, refused)

            return grpc.unary_unary_rpc_method_handler(refuse)
        return await continuation(details)


def asked_of(request: GetFeaturesRequest) -> Asked:
    """Return what a message asks for.

    Raises:
        CallerError: It has keys of two types, or an enumeration that is not known.
    """
    if request.numbers >= len(NUMBERS) or request.layout >= len(LAYOUTS):
        msg = "numbers or layout of the request is not known here: compare features.proto"
        raise CallerError(msg)
    return Asked(
        wanted=Wanted(
            name=request.list,
            version=request.version,
            features=tuple(request.features),
            kinds=tuple(request.kinds),
        ),
        entities={kind: _keys(kind, keys) for kind, keys in request.entities.items()},
        at_ms=request.at_ms if request.HasField("at_ms") else None,
        form=Form(
            numbers=NUMBERS[request.numbers],
            layout=LAYOUTS[request.layout],
            states=request.states,
        ),
    )


def _keys(kind: str, keys: Keys) -> object:
    if keys.texts and keys.numbers:
        msg = f"entities[{kind!r}] has texts and numbers; send all keys of a kind as one of them"
        raise CallerError(msg)
    listed = list(keys.texts or keys.numbers)
    if not keys.for_all_rows:
        return listed
    if len(listed) != 1:
        msg = f"entities[{kind!r}] is for all rows and has {len(listed)} keys; send one"
        raise CallerError(msg)
    return listed[0]


def _parsed(kind: Callable[[], Any], data: bytes) -> Any:  # noqa: ANN401 (the message)
    message = kind()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        msg = f"the request is not a {message.DESCRIPTOR.name}: compare features.proto"
        raise CallerError(msg) from error
    return message


def _arrival(context: Any) -> Arrival:  # noqa: ANN401 (gRPC's)
    return Arrival(door=DOOR, left_s=context.time_remaining())


async def _abort(context: Any, found: Failure) -> NoReturn:  # noqa: ANN401 (gRPC's)
    """End a call with an error. Raises what gRPC ends it by."""
    await context.abort(
        found.code.grpc, found.message[:MESSAGE_CHARACTERS_MAX], ((DETAIL, found.detail()),)
    )
    raise AssertionError  # `abort` raises


def _options(settings: ServiceSettings, *, shared: bool) -> list[tuple[str, int]]:
    named: Mapping[str, int] = {
        "grpc.so_reuseport": int(shared),
        "grpc.max_receive_message_length": settings.message_bytes_max,
        "grpc.max_send_message_length": -1,
    }
    return list(named.items())


def _bind(
    server: Any,  # noqa: ANN401 (gRPC's)
    address: str,
    certificate: Certificate | None,
) -> None:
    try:
        if certificate is None:
            server.add_insecure_port(address)
        else:
            server.add_secure_port(address, certificate.of_grpc())
    except RuntimeError as error:
        msg = f"cannot listen on {address} for gRPC: is the port taken? See service.port"
        raise ServerError(msg) from error
