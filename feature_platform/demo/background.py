"""Work beside the demo's pictures, which Ctrl-C does not wait for."""

import threading
from collections.abc import Callable

from feature_platform.errors import FeaturePlatformError


class Background:
    """One call in a thread of its own; mutable until it is done."""

    def __init__(self, call: Callable[[], None]) -> None:
        """Start it."""
        self._call = call
        self._failure: FeaturePlatformError | None = None
        self._thread = threading.Thread(target=self._run, name="upgrade", daemon=True)
        self._thread.start()

    def is_done(self) -> bool:
        """Return whether it is done.

        Raises:
            FeaturePlatformError: It failed with that.
        """
        if self._failure:
            raise self._failure
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._call()
        except FeaturePlatformError as error:
            self._failure = error
