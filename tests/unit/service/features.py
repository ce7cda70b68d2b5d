"""What the tests' service serves: posts and users, one list over both."""

from feature_platform.definition.feature_list import FeatureList, ListedFeature
from tests.unit.serving.conftest import FEATURESET, NOW_MS, SOURCE, make_event

EVENTS = [
    make_event("a", 1, 0, user=17, action="view", watch=2**53 + 1, score=0.25),
    make_event("b", 2, 1, user=17, action="like", watch=5, price=2.25, score=-3.5),
    make_event("a", 3, 2, user=18, action="view", liked=True, watch=2**62),
    make_event("a", 4, 3, user=18, action="view", watch=2**62),
    *(
        make_event(
            f"p{number}", number % 50 + 1, 10 + number, user=number, action="view", watch=number
        )
        for number in range(60)
    ),
]
LIST = FeatureList(
    name="feed_ranker",
    version=1,
    owner="ranking",
    features=(
        ListedFeature(name="users.events_30m", shown_as="activity"),
        ListedFeature(name="posts.action", default="none"),
        ListedFeature(name="posts.views_30m"),
        ListedFeature(name="users.score_2h", default=-1),
        ListedFeature(name="users.watch_1d"),
        ListedFeature(name="posts.watch_lifetime"),
        ListedFeature(name="posts.liked", shown_as="liked", default=False),
        ListedFeature(name="users.watches", shown_as="watches", default=[0]),
        ListedFeature(name="posts.scores"),
        ListedFeature(name="posts.first_seen_1d"),
        ListedFeature(name="posts.best_2h"),
    ),
)
POSTS = ["a", "b", "zzz", "a", "p5"]
ENTITIES = {"user": 17, "post": POSTS}
__all__ = ["ENTITIES", "EVENTS", "FEATURESET", "LIST", "NOW_MS", "POSTS", "SOURCE"]
