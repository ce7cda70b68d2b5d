"""Drawn examples have no deadline: the machine is shared with servers."""

from hypothesis import settings

settings.register_profile("shared", deadline=None)
settings.load_profile("shared")
