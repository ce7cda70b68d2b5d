"""One request of the client: its shares go to replicas, and failed ones to the next, in time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_platform.clock import WaitingClock
from feature_platform.errors import (
    CallerError,
    DeadlineExceededError,
    FeaturePlatformError,
    NoEntityError,
    ServiceUnavailableError,
)
from feature_platform.service.channels import error_of
from feature_platform.service.decode import Share
from feature_platform.service.features_pb2 import GetFeaturesRequest
from feature_platform.service.routing import key_hashes, owners

TRIES_MAX = 3
"""Times that a share is asked for, of one replica after the other."""
LATE_S = 0.25
"""How long after the deadline gRPC may still say that it has passed."""

Replicas = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked about one kind of entity."""

    kind: str
    keys: Sequence[str]
    """Each once."""

    @cached_property
    def hashes(self) -> NDArray[np.uint64]:
        """A number for each key, which decides who has it."""
        return key_hashes(self.kind, self.keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How replicas are reached."""

    ask: Callable[[str, GetFeaturesRequest, float], Any]
    """Sends a request and returns gRPC's future; the last argument is the time it may take."""
    usable: Callable[[Replicas], Replicas]
    """Those that have not failed just now."""
    saw: Callable[[str, bool], None]
    """Is shown how a call of a replica ended: true if the replica failed."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Call:
    replica: str
    question: Question
    places: NDArray[np.int64]
    tried: Replicas


@dataclass(slots=True, kw_only=True)
class Gathering:
    """The shares of one request (mutable)."""

    ways: Ways
    clock: WaitingClock
    replicas: Replicas
    template: GetFeaturesRequest
    deadline_s: float
    """From now."""
    shares: dict[str, list[Share]] = field(default_factory=dict)
    """What came, by kind."""
    _ended: "SimpleQueue[tuple[_Call, Any]]" = field(default_factory=SimpleQueue)
    _under_way: dict[_Call, Any] = field(default_factory=dict)
    _until_s: float = 0.0
    _last: FeaturePlatformError | None = None

    def run(self, questions: Sequence[Question]) -> Mapping[str, Sequence[Share]]:
        """Ask, and wait until every share is answered or given up. Blocks.

        Raises:
            CallerError: A replica refused the request itself.
            DeadlineExceededError: No share was answered in time.
            ServiceUnavailableError: No replica answered at all.
        """
        self._until_s = self.clock.monotonic_s() + self.deadline_s
        try:
            for question in questions:
                self._send(question, np.arange(len(question.keys)), (), None)
            while self._under_way:
                self._take(*self._next())
        finally:
            for future in tuple(self._under_way.values()):
                future.cancel()
        self._refuse_nothing()
        return self.shares

    def _next(self) -> tuple[_Call, Any]:
        """Wait for a call to end.

        Raises:
            DeadlineExceededError: None did, long after the deadline of all of them.
        """
        try:
            return self._ended.get(timeout=max(0.0, self._left_s()) + LATE_S)
        except Empty as error:
            raise self._too_late() from error

    def _send(
        self,
        question: Question,
        places: NDArray[np.int64],
        tried: Replicas,
        why: FeaturePlatformError | None,
    ) -> None:
        """Ask the replicas that have some keys; those that were tried only if none is left."""
        left = tuple(each for each in self.replicas if each not in tried)
        if not left and type(why) is ServiceUnavailableError:
            left = self.replicas  # a worker may have died, and others listen on its port
        if not len(places):
            return
        if not left or len(tried) == TRIES_MAX or self._left_s() <= 0:
            self._give_up(question, places, why or self._too_late())
            return
        asked = self.ways.usable(left)
        owner = np.zeros(len(places), dtype=np.int64)
        if len(asked) > 1:
            owner = owners(question.hashes[places], asked)
        is_last = len(left) == 1 or len(tried) == TRIES_MAX - 1
        timeout_s = self._left_s() if is_last else self._left_s() / 2
        for number, replica in enumerate(asked):
            its = places[owner == number]
            if len(its):
                call = _Call(
                    replica=replica, question=question, places=its, tried=(*tried, replica)
                )
                self._ask(call, timeout_s)

    def _ask(self, call: _Call, timeout_s: float) -> None:
        message = GetFeaturesRequest()
        message.CopyFrom(self.template)
        message.kinds.append(call.question.kind)
        keys = call.question.keys
        if len(call.places) < len(keys):
            keys = [keys[place] for place in call.places.tolist()]
        message.entities[call.question.kind].texts.extend(keys)
        try:
            future = self.ways.ask(call.replica, message, timeout_s)
        except ServiceUnavailableError as error:
            self._send(call.question, call.places, call.tried, error)
            return
        self._under_way[call] = future
        future.add_done_callback(lambda ended: self._ended.put((call, ended)))

    def _take(self, call: _Call, ended: Any) -> None:  # noqa: ANN401 (gRPC's future)
        """Keep an answer, or ask the next replica.

        Raises:
            CallerError: The replica refused the request itself.
        """
        del self._under_way[call]
        if not ended.cancelled() and ended.exception() is None:
            self.ways.saw(call.replica, False)
            self._keep(call.question, Share(places=call.places, answer=ended.result()))
            return
        error = self._last = error_of(call.replica, ended)
        if isinstance(error, CallerError):
            raise error
        self.ways.saw(call.replica, not isinstance(error, NoEntityError))
        self._send(call.question, call.places, call.tried, error)

    def _keep(self, question: Question, share: Share) -> None:
        self.shares.setdefault(question.kind, []).append(share)

    def _give_up(
        self, question: Question, places: NDArray[np.int64], why: FeaturePlatformError
    ) -> None:
        """Leave keys unavailable: the others are answered."""
        self._last = why
        known = why.entities if isinstance(why, NoEntityError) else {}
        reasons = {place: known.get(question.keys[place], str(why)) for place in places.tolist()}
        self._keep(question, Share(places=places, reasons=reasons))

    def _refuse_nothing(self) -> None:
        """Raise where nothing came at all, except that the store has no answer.

        Raises:
            DeadlineExceededError: Because of the deadline.
            ServiceUnavailableError: Because of the replicas.
        """
        shares = [share for shares in self.shares.values() for share in shares]
        if (
            any(share.answer is not None for share in shares)
            or self._last is None
            or isinstance(self._last, NoEntityError)
        ):
            return
        if self._left_s() <= 0:
            raise self._too_late() from self._last
        if isinstance(self._last, ServiceUnavailableError):
            raise self._last
        raise ServiceUnavailableError(str(self._last)) from self._last

    def _left_s(self) -> float:
        return self._until_s - self.clock.monotonic_s()

    def _too_late(self) -> DeadlineExceededError:
        last = f"; the last error was: {self._last}" if self._last else ""
        msg = f"no answer within {self.deadline_s * 1000:.0f} ms{last}"
        return DeadlineExceededError(msg)
