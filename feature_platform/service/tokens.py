"""Who may ask: a request carries one of the service's tokens. Nothing here is ever logged."""

import hashlib
import hmac
from collections.abc import Sequence

from feature_platform.errors import UnauthenticatedError
from feature_platform.service_settings import TOKEN

SCHEME = "Bearer "
HEADER = "authorization"


class Gate:
    """Knows the tokens; frozen after it was made, and shows none of them."""

    def __init__(self, tokens: Sequence[str]) -> None:
        """Keep the digests alone; without any token everyone may ask."""
        self._digests = tuple(map(_digest, tokens))

    def check(self, header: str | bytes | None) -> None:
        """Check the header `authorization` of a request, in constant time.

        Raises:
            UnauthenticatedError: It is missing, or has another token.
        """
        if not self._digests:
            return
        text = header.decode("latin-1") if isinstance(header, bytes) else header or ""
        if not text.startswith(SCHEME):
            msg = f"the request has no token: send `{HEADER}: {SCHEME}TOKEN` with it"
            raise UnauthenticatedError(msg)
        given = _digest(text.removeprefix(SCHEME).strip())
        known = [hmac.compare_digest(given, digest) for digest in self._digests]
        if not any(known):
            msg = f"the token of the request is not the service's: it must be in {TOKEN} there"
            raise UnauthenticatedError(msg)


def _digest(token: str) -> bytes:
    """Return what tokens are compared by: of one length, whatever was sent."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
