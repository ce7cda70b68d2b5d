"""Example events for a new project: people view, like, share and comment on posts.

The same seed gives the same events, whose times end at the given moment; so counts over a day are
the same in every project and can be shown in the documentation.
"""

import json
import random
from collections.abc import Iterator

from feature_platform.tiles.grid import MINUTE_MS

HOUR_MS = 60 * MINUTE_MS
COUNT = 1_000
HOURS = 20
"""How far back the events go: within a day, so that a window of a day has them all."""
POSTS = range(4711, 4731)
USERS = 150
ACTIONS = {"view": 70, "like": 16, "share": 8, "comment": 6}
"""Each action with its weight."""
LANGUAGES = ("en", "de", "fr", "ja")
WATCH_MS_MAX = 60_000


def example_events(now_ms: int) -> Iterator[str]:
    """Yield events as JSON lines, the oldest first; the last one happens at the given moment.

    Args:
        now_ms: Epoch milliseconds.
    """
    draw = random.Random(4711)  # noqa: S311 (examples, no secrets)
    ages_ms = sorted(int(HOURS * HOUR_MS * draw.random() ** 2) for _ in range(COUNT))
    for age_ms in reversed(ages_ms):
        yield json.dumps(_event(draw, now_ms - age_ms + ages_ms[0]))


def _event(draw: random.Random, ts_ms: int) -> dict[str, object]:
    post = POSTS[int(len(POSTS) * draw.random() ** 2)]  # some posts are popular
    (action,) = draw.choices(list(ACTIONS), list(ACTIONS.values()))
    event: dict[str, object] = {
        "post_id": str(post),
        "user_id": f"u{draw.randrange(USERS)}",
        "action": action,
        "language": LANGUAGES[post % len(LANGUAGES)],
        "ts": ts_ms,
    }
    if action == "view":
        event["watch_ms"] = draw.randrange(500, WATCH_MS_MAX)
    return event
