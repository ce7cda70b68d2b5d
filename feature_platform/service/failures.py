"""Which error is answered by which code, in both doors; and back again in the client.

A door answers what the platform raises on purpose. Anything else is a mistake in the service: the
client learns that much and no more, the log has the traceback.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import grpc

from feature_platform import errors
from feature_platform.errors import (
    CallerError,
    DeadlineExceededError,
    FeaturePlatformError,
    LimitExceededError,
    MessageTooLargeError,
    NoEntityError,
    OutOfReachError,
    OverloadedError,
    ServiceUnavailableError,
    StoreUnavailableError,
    UnauthenticatedError,
    UnknownFeatureError,
    WorldError,
)
from feature_platform.service.features_pb2 import ErrorDetail

DETAIL = "fp-error-bin"
"""Key of the trailing metadata that holds an `ErrorDetail`."""
ENTITIES_SHOWN_MAX = 20
"""Of an error: metadata is for small things."""
REASON_CHARACTERS_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """What one kind of error is answered with."""

    grpc: grpc.StatusCode
    http: int


CODES: dict[type[FeaturePlatformError], Code] = {
    UnknownFeatureError: Code(grpc=grpc.StatusCode.NOT_FOUND, http=404),
    OutOfReachError: Code(grpc=grpc.StatusCode.OUT_OF_RANGE, http=400),
    LimitExceededError: Code(grpc=grpc.StatusCode.INVALID_ARGUMENT, http=400),
    MessageTooLargeError: Code(grpc=grpc.StatusCode.RESOURCE_EXHAUSTED, http=413),
    UnauthenticatedError: Code(grpc=grpc.StatusCode.UNAUTHENTICATED, http=401),
    OverloadedError: Code(grpc=grpc.StatusCode.RESOURCE_EXHAUSTED, http=429),
    DeadlineExceededError: Code(grpc=grpc.StatusCode.DEADLINE_EXCEEDED, http=504),
    ServiceUnavailableError: Code(grpc=grpc.StatusCode.UNAVAILABLE, http=503),
    StoreUnavailableError: Code(grpc=grpc.StatusCode.UNAVAILABLE, http=503),
    CallerError: Code(grpc=grpc.StatusCode.INVALID_ARGUMENT, http=400),
    FeaturePlatformError: Code(grpc=grpc.StatusCode.INTERNAL, http=500),
}
"""Of an error that is not here its nearest base class says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error as it is answered."""

    code: Code
    error: str
    """The kind of error, such as UnknownFeatureError."""
    message: str
    entities: dict[str, str] = field(default_factory=dict)
    """Why entities are unavailable, where that is the error."""
    unavailable: int = 0
    """How many rows are."""

    @property
    def name(self) -> str:
        """The code as gRPC names it, such as NOT_FOUND."""
        return str(self.code.grpc.name)

    def detail(self) -> bytes:
        """Return the serialised `ErrorDetail`."""
        detail = ErrorDetail(error=self.error, entities=self.entities, unavailable=self.unavailable)
        return detail.SerializeToString()


def failure(error: FeaturePlatformError) -> Failure:
    """Return how an error is answered."""
    kind = next(kind for kind in type(error).__mro__ if kind in CODES)
    if not isinstance(error, NoEntityError):
        return Failure(code=CODES[kind], error=type(error).__name__, message=str(error))
    some = list(error.entities.items())[:ENTITIES_SHOWN_MAX]
    return Failure(
        code=CODES[kind],
        error=NoEntityError.__name__,
        message=str(error),
        entities={key: reason[:REASON_CHARACTERS_MAX] for key, reason in some},
        unavailable=error.rows,
    )


def internal() -> Failure:
    """Return the answer for a mistake in the service itself."""
    text = "the service failed on this request; its log says why"
    return Failure(code=CODES[FeaturePlatformError], error="InternalError", message=text)


BY_CODE: dict[grpc.StatusCode, type[FeaturePlatformError]] = {
    grpc.StatusCode.NOT_FOUND: UnknownFeatureError,
    grpc.StatusCode.OUT_OF_RANGE: OutOfReachError,
    grpc.StatusCode.INVALID_ARGUMENT: CallerError,
    grpc.StatusCode.UNAUTHENTICATED: UnauthenticatedError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceededError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: OverloadedError,
}
"""What a client raises where an answer has no detail: a proxy's, or gRPC's own."""


def raised(code: grpc.StatusCode, message: str, detail: ErrorDetail) -> FeaturePlatformError:
    """Return the error that the service answered with, for its client to raise."""
    named = getattr(errors, detail.error, None)
    if isinstance(named, type) and issubclass(named, CallerError | WorldError):
        kind: type[FeaturePlatformError] = named
    else:
        kind = BY_CODE.get(code, ServiceUnavailableError)
    if kind is NoEntityError:
        return NoEntityError(message, dict(detail.entities), detail.unavailable)
    return kind(message)


def detail_of(metadata: Iterable[tuple[str, str | bytes]]) -> ErrorDetail:
    """Return what an error's trailing metadata says beside it; nothing where there is none."""
    for key, value in metadata:
        if key == DETAIL and isinstance(value, bytes):
            return ErrorDetail.FromString(value)
    return ErrorDetail()
