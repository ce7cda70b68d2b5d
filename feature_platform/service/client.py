"""The client of the service: asks each entity's own replica, and puts the answers together.

`prepare` and `get` are those of the library's `FeatureClient`, with the same errors and the same
matrix. Entities go to replicas by rendezvous hashing (`routing.py`), so that each is cached once. A
replica that fails hands its share to the next one, while there is time.
"""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self

import grpc

from feature_platform.clock import SystemClock, WaitingClock
from feature_platform.errors import (
    CallerError,
    DeadlineExceededError,
    FeaturePlatformError,
    ServiceUnavailableError,
)
from feature_platform.service.channels import Channels, error_of
from feature_platform.service.decode import matrix_of
from feature_platform.service.described import Described
from feature_platform.service.features_pb2 import (
    LAYOUT_PACKED,
    NUMBERS_EXACT,
    NUMBERS_FLOAT32,
    DescribeListRequest,
    GetFeaturesRequest,
    ListDescription,
)
from feature_platform.service.gather import Gathering, Question, Replicas, Ways
from feature_platform.serving.asked import Instant, instant_ms, names_asked
from feature_platform.serving.matrix import FeatureMatrix
from feature_platform.serving.request import Request, asked_keys
from feature_platform.transport import Tls

DEADLINE_MS = 1_000
SUSPECT_S = 1.0
"""How long a replica that failed is passed over, if there are others."""
Numbers = Literal["exact", "float32"]


class ServiceClient:
    """Asks the service. Mutable: knows replicas. Safe for use by threads; not after a fork."""

    def __init__(
        self,
        replicas: Sequence[str],
        *,
        token: str | None = None,
        tls: Tls | None = None,
        deadline_ms: int = DEADLINE_MS,
        clock: WaitingClock | None = None,
    ) -> None:
        """Connect to nothing yet: the first request does.

        Args:
            replicas: Addresses such as `10.0.0.1:8815`: one of each replica, of gRPC.
            token: What the service wants to see; keep it out of arguments and files.
            tls: How the service is known, and known to it; without it nothing is encrypted.
            deadline_ms: Of requests that have none of their own.
            clock: By which deadlines are kept.

        Raises:
            CallerError: The list of replicas is empty, or one is not a string.
            SettingsError: A file of `tls` cannot be read.
        """
        self._channels = Channels(token, tls)
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._suspects: dict[str, float] = {}
        self._replicas: Replicas = ()
        self.deadline_ms = deadline_ms
        self.use(replicas)

    @property
    def replicas(self) -> Replicas:
        """The addresses that are asked."""
        return self._replicas

    def use(self, replicas: Sequence[str]) -> None:
        """Ask these replicas from now on; requests under way continue with those that stay.

        Raises:
            CallerError: There is none, or one is not a string.
        """
        named = tuple(dict.fromkeys(names_asked("replicas", replicas)))
        if not named:
            msg = "replicas is empty; pass at least one address, such as ['127.0.0.1:8815']"
            raise CallerError(msg)
        self._channels.keep(named)
        self._replicas = named

    def __enter__(self) -> Self:
        """Hand out itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close all connections; requests under way fail. Twice is harmless."""
        self._channels.keep(())

    def __reduce__(self) -> str:
        """Refuse to be pickled: connections belong to a process.

        Raises:
            CallerError: Always.
        """
        msg = "a ServiceClient cannot be pickled; make one in each process"
        raise CallerError(msg)

    def prepare(
        self,
        features: Sequence[str] | None = None,
        *,
        list: str | None = None,  # noqa: A002 (what it is called everywhere)
        version: int | None = None,
        deadline_ms: int | None = None,
    ) -> "PreparedService":
        """Ask once what a list has. Blocks.

        Args:
            features: Names such as `post_engagement.views_30m`.
            list: A stored feature list instead of names.
            version: Of the list; without one the newest that is stored now.
            deadline_ms: How long this may take.

        Raises:
            UnknownFeatureError: There is no such list, version or feature.
            CallerError: What is asked is wrong, or the token is.
            ServiceUnavailableError: No replica answers in time.
        """
        named = names_asked("features", features) if features is not None else ()
        request = DescribeListRequest(list=list or "", version=version or 0, features=named)
        described = self._describe(request, (deadline_ms or self.deadline_ms) / 1000)
        return PreparedService(client=self, described=described, features=named)

    def _describe(self, request: DescribeListRequest, deadline_s: float) -> ListDescription:
        """Ask replicas, one after the other, until one answers or refuses."""
        until_s = self._clock.monotonic_s() + deadline_s
        asked = self._usable(self._replicas)
        last: FeaturePlatformError = ServiceUnavailableError("no replica was asked")
        for number, replica in enumerate(asked):
            left_s = until_s - self._clock.monotonic_s()
            if left_s <= 0:
                msg = f"no answer within {deadline_s * 1000:.0f} ms; the last error was: {last}"
                raise DeadlineExceededError(msg)
            timeout_s = left_s if number == len(asked) - 1 else left_s / 2
            try:
                call = self._channels.ask(replica, "DescribeList", request, timeout_s)
                answer: ListDescription = call.result()
            except grpc.RpcError:
                last = error_of(replica, call)
            except ServiceUnavailableError as error:
                last = error
            else:
                return answer
            if isinstance(last, CallerError):
                raise last
            self._saw(replica, failed=True)
        if isinstance(last, ServiceUnavailableError):
            raise last
        raise ServiceUnavailableError(str(last)) from last

    def gathering(self, template: GetFeaturesRequest, deadline_ms: int | None) -> Gathering:
        """Return what asks the replicas for one request."""
        ways = Ways(
            ask=lambda replica, message, timeout_s: self._channels.ask(
                replica, "GetFeatures", message, timeout_s
            ),
            usable=self._usable,
            saw=lambda replica, failed: self._saw(replica, failed=failed),
        )
        deadline = self.deadline_ms if deadline_ms is None else deadline_ms
        return Gathering(
            ways=ways,
            clock=self._clock,
            replicas=self._replicas,
            template=template,
            deadline_s=deadline / 1000,
        )

    def _usable(self, replicas: Replicas) -> Replicas:
        """Return those of some replicas that have not failed just now, or all if all have."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            fine = tuple(each for each in replicas if self._suspects.get(each, now_s) <= now_s)
        return fine or replicas

    def _saw(self, replica: str, *, failed: bool) -> None:
        """Note how a call ended: whoever failed is passed over for a moment."""
        with self._lock:
            if failed:
                self._suspects[replica] = self._clock.monotonic_s() + SUSPECT_S
            else:
                self._suspects.pop(replica, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _FeatureSet:
    """A feature set, as far as a description has it."""

    featureset: str
    entity: str
    entity_type: str


@dataclass(frozen=True, kw_only=True)
class PreparedService:
    """A list to ask for; follows what is deployed, not the list's later versions."""

    client: ServiceClient
    described: ListDescription
    features: tuple[str, ...] = ()
    """What was asked for instead of a list."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of the answer."""
        return tuple(head.name for head in self.described.heads)

    @property
    def version(self) -> int:
        """Of the list; 0 if there is none."""
        return self.described.version

    @cached_property
    def _about(self) -> Mapping[str, Sequence[_FeatureSet]]:
        return {
            kind.name: [
                _FeatureSet(featureset=each, entity=kind.name, entity_type=kind.type)
                for each in kind.featuresets
            ]
            for kind in self.described.kinds
        }

    @cached_property
    def _columns(self) -> Described:
        return Described(self.described)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of entity that a request has keys of."""
        return tuple(self._about)

    def get(
        self,
        entities: Request,
        *,
        at: Instant | None = None,
        deadline_ms: int | None = None,
        numbers: Numbers = "exact",
    ) -> FeatureMatrix:
        """Return the features of entities, in their order. Blocks.

        Args:
            entities: As in the library: a list of keys, or by kind a list or one key for all rows.
            at: A past instant instead of now, epoch milliseconds or ISO-8601.
            deadline_ms: How long it may take. What has not come by then is `unavailable`.
            numbers: `float32` halves the bytes; integers are then exact up to 2^24.

        Raises:
            CallerError: The request or the token is wrong.
            LimitExceededError: There are more keys than the service takes.
            OutOfReachError: The instant is in the future, or needs tiles that are not kept.
            UnknownFeatureError: A feature is not served any more.
            DeadlineExceededError: Nothing was answered in time.
            ServiceUnavailableError: No replica answered at all.
            ValueError: The instant is not ISO-8601.
        """
        asked = asked_keys(entities, self._about, self.described.entities_max)
        template = GetFeaturesRequest(
            list=self.described.list,
            version=self.described.version,
            features=self.features,
            at_ms=instant_ms(at),
            numbers=NUMBERS_FLOAT32 if numbers == "float32" else NUMBERS_EXACT,
            layout=LAYOUT_PACKED,
            states=True,
        )
        questions = [
            Question(kind=each.entity, keys=each.unique)
            for each in asked
            if each.entity in self._about
        ]
        shares = self.client.gathering(template, deadline_ms).run(questions)
        return matrix_of(self._columns, asked, shares, numbers)

    async def aget(
        self,
        entities: Request,
        *,
        at: Instant | None = None,
        deadline_ms: int | None = None,
        numbers: Numbers = "exact",
    ) -> FeatureMatrix:
        """Do what `get` does, in a thread, without blocking the event loop."""
        return await asyncio.to_thread(
            self.get, entities, at=at, deadline_ms=deadline_ms, numbers=numbers
        )
