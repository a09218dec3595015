"""The gate: what every request and the socket pass before anything else looks at them.

Pure ASGI, around the whole application, so that no route can forget it and errors carry the same
headers as answers. In order: a request id, the security headers, Host and Origin, the rate, the
token, the content type of writes.
"""

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lab.errors import Code, LabError
from lab.names import new_id
from lab.rpc.errors import REQUEST_ID
from lab.v1 import error_pb2
from services.gateway.api import problems
from services.gateway.api.protojson import MAX_BODY_BYTES
from services.gateway.places import AllowedPlaces
from services.gateway.rates import Rates
from services.gateway.sessions import Sessions

_WITH_BODY = ("POST", "PUT", "PATCH")
# Without these nobody could fetch the page that swaps the token, or ask whether the gateway lives.
_OPEN = ("/api/health", "/api/session", "/healthz", "/readyz")
_GUARDED = ("/api", "/metrics")

log = structlog.get_logger()


class Gate:
    """Wraps the application. `sessions` is None when no token is asked for."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        places: AllowedPlaces,
        rates: Rates,
        sessions: Sessions | None = None,
    ) -> None:
        self._app, self._places, self._rates, self._sessions = app, places, rates, sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id = new_id("r")
        scope.setdefault("state", {})["request_id"] = request_id
        headed = _Headed(send, self._headers(scope), request_id)
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            refusal = self._refusal(scope)
            if refusal is not None:
                await _refuse(refusal, scope, receive, headed)
                return
            try:
                await self._app(scope, receive, headed)
            except Exception:
                # Starlette has sent the problem, if there was still something to send it on.
                log.exception("request failed", path=scope["path"])
                if scope["type"] == "http" and not headed.started:
                    await _internal(scope)(scope, receive, headed)

    def _headers(self, scope: Scope) -> dict[str, str]:
        host = Headers(scope=scope).get("host", "").lower()
        return security_headers(host if host in self._places.hosts else "")

    def _refusal(self, scope: Scope) -> Response | None:
        socket = scope["type"] == "websocket"
        method = "GET" if socket else scope["method"]
        path, request_id = scope["path"], scope["state"]["request_id"]
        error = self._places.refusal(scope["headers"], method=method, socket=socket)
        if error is None:
            error = self._rates.refusal(scope)  # before the token, so that nobody can try many
        if error is None and not self._may_ask(scope):
            error = _NO_TOKEN
        if error is not None:
            problem = problems.problem_of(error, instance=path, request_id=request_id)
            return problems.respond(problem)
        status = None
        if not _is_plain(path):
            status = 404
        elif method in _WITH_BODY and not _is_json(scope):
            status = 415
        elif _declared_bytes(scope) > MAX_BODY_BYTES:
            status = 413
        if status is None:
            return None
        problem = problems.problem_of_status(status, instance=path, request_id=request_id)
        return problems.respond(problem)

    def _may_ask(self, scope: Scope) -> bool:
        path = scope["path"]
        if self._sessions is None or path in _OPEN or not path.startswith(_GUARDED):
            return True
        return self._sessions.knows(Headers(scope=scope))


class _Headed:
    """Sends what it is given, with the security headers on every start of an answer."""

    def __init__(self, send: Send, extra: dict[str, str], request_id: str) -> None:
        self._send, self._extra, self._request_id = send, extra, request_id
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            self.started = True
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            for name, value in self._extra.items():
                headers.setdefault(name, value)
            headers[REQUEST_ID] = self._request_id
            message["headers"] = headers.raw
        await self._send(message)


def security_headers(host: str) -> dict[str, str]:
    """`host` has passed the allow-list or is empty; older browsers do not count ws: into 'self'."""
    socket = f" ws://{host}" if host else ""
    return {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
            f"font-src 'self'; connect-src 'self'{socket}; manifest-src 'self'; "
            "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Frame-Options": "DENY",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }


_NO_TOKEN = LabError(
    "this gateway asks for its token: send `Authorization: Bearer TOKEN`, from gateway-token "
    "in its home folder, or open the dashboard with the link in gateway-link beside it",
    code=Code.UNAUTHENTICATED,
    reason=error_pb2.ERROR_REASON_FORBIDDEN_ORIGIN,
)


def _is_json(scope: Scope) -> bool:
    kinds = [value for key, value in scope["headers"] if key == b"content-type"]
    return len(kinds) == 1 and kinds[0].partition(b";")[0].strip().lower() == b"application/json"


def _is_plain(path: str) -> bool:
    """No address here holds control characters, backslashes or steps upwards."""
    return path.isprintable() and "\\" not in path and ".." not in path.split("/")


def _declared_bytes(scope: Scope) -> int:
    """What the request says of its body. One that says nothing is counted while it is read."""
    length = Headers(scope=scope).get("content-length", "0")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else 0


def _internal(scope: Scope) -> Response:
    return problems.respond(
        problems.internal_problem(instance=scope["path"], request_id=scope["state"]["request_id"])
    )


async def _refuse(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Answers without the application; a socket is refused with an HTTP answer, never a 101."""
    if scope["type"] == "http":
        await response(scope, receive, send)
    elif "websocket.http.response" in scope.get("extensions", {}):
        await response(scope, receive, send)  # starlette prefixes the message types for sockets
    else:
        await send({"type": "websocket.close", "code": 1008, "reason": ""})
