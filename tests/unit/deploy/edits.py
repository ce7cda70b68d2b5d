"""Edits of the definition in `conftest.py`, as texts that are replaced."""

ENTITY = (
    ("entity: post_id", "entity: watch_ms"),
    ("SELECT post_id", "SELECT watch_ms"),
    ("GROUP BY post_id", "GROUP BY watch_ms"),
)
"""Another entity: what is stored is useless."""
