"""The optional token: made at first start, sent as a bearer token, or swapped for a cookie.

The cookie is derived from the token, so it survives restarts, ends when the token changes, and does
not give the token away.
"""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from starlette.datastructures import Headers

COOKIE = "lab_session"
_PURPOSE = b"lab gateway session v1"


class Sessions:
    """Knows who holds the token."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.cookie_value = hmac.new(token.encode(), _PURPOSE, hashlib.sha256).hexdigest()

    def knows(self, headers: Headers) -> bool:
        return self.holds_token(headers) or self._holds_cookie(headers)

    def holds_token(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and _equal(token.strip(), self._token)

    def _holds_cookie(self, headers: Headers) -> bool:
        # By hand: SimpleCookie drops everything after the first cookie it cannot read.
        for pair in headers.get("cookie", "").split(";"):
            name, _, value = pair.strip().partition("=")
            if name == COOKIE and _equal(value, self.cookie_value):
                return True
        return False

    def set_cookie(self) -> str:
        """The Set-Cookie header that swaps the token for a session."""
        return f"{COOKIE}={self.cookie_value}; Path=/; HttpOnly; SameSite=Strict"


def write_link(folder: Path, *, port: int, token: str) -> Path:
    """A file with the address that opens the dashboard and brings its token, readable by its owner
    only. The token is behind the #: browsers keep that to themselves, and no log sees it."""
    path = folder / "gateway-link"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"http://localhost:{port}/#token={token}\n")
    return path


def token_in(folder: Path) -> str:
    """The token of this home; made, readable by its owner only, when there is none."""
    path = folder / "gateway-token"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    token = secrets.token_urlsafe(32)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(token + "\n")
    return token


def _equal(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted.encode())
