"""Features that were resolved once, to be asked for many entities. Reads through its client."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from feature_platform.definition.feature_list import FeatureList, default_fits
from feature_platform.definition.problems import did_you_mean
from feature_platform.errors import CallerError, FeaturePlatformError, LimitExceededError
from feature_platform.plan.snapshot import Snapshot
from feature_platform.serving.ages import check_aged
from feature_platform.serving.answer import KindAnswer, Part, answer, answer_part
from feature_platform.serving.answer_log import logged_rows
from feature_platform.serving.asked import Instant, Options, options
from feature_platform.serving.matrix import FeatureMatrix
from feature_platform.serving.meters import Watch
from feature_platform.serving.planned import Planned, Planner
from feature_platform.serving.read_plan import Group, ReadPlan, resolve
from feature_platform.serving.request import AskedKeys, Request, asked_keys
from feature_platform.serving.shown import Wishes
from feature_platform.serving.waiting import Waits, finish
from feature_platform.tiles.grid import parse_duration_ms

if TYPE_CHECKING:
    from feature_platform.serving.client import FeatureClient


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedFeatures:
    """A list of features to ask for; follows what is deployed, not a list's later versions."""

    client: "FeatureClient"
    feature_list: FeatureList
    """What was asked for; without a name if it was features alone."""
    names: tuple[str, ...]
    """The columns of the answer."""
    full_names: tuple[str, ...]
    """The features behind them, each with its feature set."""
    planner: Planner
    wishes: Wishes

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of entity that a request has keys of, such as `user_id` and `post_id`."""
        groups = resolve(self.client.snapshots(), self.full_names)
        return tuple(dict.fromkeys(group.snapshot.entity for group in groups))

    def get(
        self,
        entities: Request,
        *,
        at: Instant | None = None,
        explain: bool = False,
        max_staleness_ms: int | None = None,
        deadline_ms: float | None = None,
        request_id: str = "",
    ) -> FeatureMatrix:
        """Return the features of entities, in their order. Blocks.

        Args:
            entities: A list of keys, each of the entity's type: texts, or for BIGINT and INT whole
                numbers in any form that is exact; also numpy and Arrow arrays and pandas Series.
                For several kinds of entity a dict: for each kind such a list, all equally long, or
                one key for all rows. A key that is there twice is read once.
            at: A past instant instead of now, epoch milliseconds or ISO-8601; lifetime features and
                properties then have no value.
            explain: Add what every value rests on, all of it read for this answer.
            max_staleness_ms: How long ago what is kept may have been read, instead of the client's
                bound; 0 reads for this request. Without a cache every request reads.
            deadline_ms: How long to wait for the store, instead of the client's deadline. Entities
                of which nothing has come by then are unavailable; the others are answered.
            request_id: What the feature log calls this answer, if you send it with the events that
                follow, too; at most 128 characters. Empty: it makes an id.

        Raises:
            CallerError: That is no list of keys, or one is none of the entity's type, a kind is
                missing, lists differ in length, a bound is negative, or the client is closed.
            LimitExceededError: More entities, tiles of each, or rows in all, than allowed.
            OutOfReachError: The instant is in the future, or needs tiles that are no longer kept.
            UnknownFeatureError: A feature is not served any more.
            ValueError: The instant is not ISO-8601.
        """
        now_ms = self.client.clock.now_ms()
        asked = options(now_ms, at, max_staleness_ms, explain=explain, request_id=request_id)
        waits = self.client.blocking(deadline_ms)
        return finish(self._measured(waits, entities, asked))

    async def aget(
        self,
        entities: Request,
        *,
        at: Instant | None = None,
        explain: bool = False,
        max_staleness_ms: int | None = None,
        deadline_ms: float | None = None,
        request_id: str = "",
    ) -> FeatureMatrix:
        """Do what `get` does on an event loop: others run while it waits; it may be cancelled."""
        now_ms = self.client.clock.now_ms()
        asked = options(now_ms, at, max_staleness_ms, explain=explain, request_id=request_id)
        waits = self.client.on_loop(deadline_ms)
        return await self._measured(waits, entities, asked)

    async def _measured(self, waits: Waits, entities: Request, asked: Options) -> FeatureMatrix:
        watch, meters = Watch(), self.client.meters
        try:
            made = await self._answer(waits, entities, asked, watch)
        except FeaturePlatformError:
            meters.refused(self.feature_list.name)
            raise
        watch.ended("compute")
        meters.answered(self.feature_list.name, watch, made.status)
        return made

    async def _answer(
        self, waits: Waits, entities: Request, asked: Options, watch: Watch
    ) -> FeatureMatrix:
        limits, planned = self.client.limits, self.planned(self.client.snapshots(), asked)
        kinds = planned.kinds
        keys = asked_keys(entities, planned.about, limits.entities_max)
        refuse_many_rows([(each, kinds.get(each.entity, ())) for each in keys], limits.rows_max)
        watch.ended("plan")
        answers = [
            KindAnswer(
                asked=each,
                parts=tuple(
                    [
                        await self._part(waits, plan, each, asked, watch)
                        for plan in kinds.get(each.entity, ())
                    ]
                ),
            )
            for each in keys
        ]
        made = answer(self.names, answers, explained=asked.explain)
        log = self.client.log
        if log is not None and self.feature_list.name and asked.at_ms is None:
            take = partial(logged_rows, made, answers)
            log.note(self.feature_list, asked.now_ms, made.keys, take, asked.request_id)
        return made

    def planned(self, snapshots: Sequence[Snapshot], asked: Options) -> Planned:
        """Return how the features are read.

        Args:
            snapshots: What is deployed.
            asked: Of which instant.

        Raises:
            CallerError: A default or an age does not fit what is deployed.
            LimitExceededError: The windows need more tiles than allowed.
            OutOfReachError: The instant is in the future, or needs tiles that are no longer kept.
            UnknownFeatureError: A feature is not served any more.
        """
        if asked.at_ms is None:
            return self.planner.now(snapshots, asked.now_ms, self._check)
        return self.planner.past(snapshots, asked.now_ms, asked.at_ms, self._check)

    def _check(self, groups: Sequence[Group]) -> None:
        check_wishes(groups, self.feature_list, self.wishes)

    async def _part(
        self, waits: Waits, plan: ReadPlan, keys: AskedKeys, asked: Options, watch: Watch
    ) -> Part:
        found = await self.client.find(waits, plan, keys.unique, asked)
        watch.ended("find")
        made = answer_part(found, asked.now_ms, self.wishes)
        watch.ended("compute")
        return made


def prepared(
    client: "FeatureClient", chosen: FeatureList, edge: str | None, max_age: Mapping[str, str]
) -> PreparedFeatures:
    """Resolve a list against what is deployed; see `FeatureClient.prepare`."""
    if len(chosen.features) > client.limits.features_max:
        msg = (
            f"{len(chosen.features)} features requested; features_max is "
            f"{client.limits.features_max}"
        )
        raise LimitExceededError(msg)
    full_names = tuple(feature.name for feature in chosen.features)
    made = PreparedFeatures(
        client=client,
        feature_list=chosen,
        names=tuple(feature.column for feature in chosen.features),
        full_names=full_names,
        planner=Planner(
            names=full_names,
            edge_ms=parse_duration_ms(edge) if edge else 0,
            tiles_max=client.limits.tiles_max,
        ),
        wishes=_wishes(chosen, max_age),
    )
    check_wishes(resolve(client.snapshots(), made.full_names), chosen, made.wishes)
    return made


def _wishes(chosen: FeatureList, max_age: Mapping[str, str]) -> Wishes:
    """Return defaults and ages by position; what the caller says goes before the list.

    Raises:
        CallerError: A name is not among the features.
    """
    features, wishes = list(enumerate(chosen.features)), Wishes.of(chosen)
    ages = dict(wishes.max_ages_ms)
    for name, text in max_age.items():
        places = [place for place, each in features if name in (each.column, each.name)]
        if not places:
            hint = did_you_mean(name, [each.column for _, each in features])
            msg = f"max_age names {name!r}, which is not among the features{hint}"
            raise CallerError(msg)
        ages |= dict.fromkeys(places, parse_duration_ms(text))
    return replace(wishes, max_ages_ms=ages)


def check_wishes(groups: Sequence[Group], chosen: FeatureList, wishes: Wishes) -> None:
    """Check that defaults and ages fit what is deployed now.

    Raises:
        CallerError: One does not; names the list, the feature and the type.
    """
    if not wishes.defaults and not wishes.max_ages_ms:
        return
    for group in groups:
        types = group.types
        for position, wanted in zip(group.positions, group.wanted, strict=True):
            if position in wishes.max_ages_ms:
                check_aged(wanted, chosen.features[position].column)
            served, default = types[position], wishes.defaults.get(position)
            if default is not None and not default_fits(default, served):
                msg = (
                    f"feature list {chosen.name!r} version {chosen.version}: the default "
                    f"{default!r} of {wanted.name!r} is not {served}; store a version whose "
                    "default fits"
                )
                raise CallerError(msg)


def refuse_many_rows(asked: Sequence[tuple[AskedKeys, Sequence[ReadPlan]]], rows_max: int) -> None:
    """Refuse a request whose rows, of all entities and feature sets, do not fit into memory.

    Raises:
        LimitExceededError: They are more than `rows_max`.
    """
    entities = sum(len(each.unique) for each, _ in asked)
    rows = sum(len(each.unique) * sum(len(plan.keys) for plan in plans) for each, plans in asked)
    if rows > rows_max:
        msg = (
            f"{entities} entities need up to {rows} rows; rows_max is {rows_max}: request fewer "
            "entities or windows at a time"
        )
        raise LimitExceededError(msg)
