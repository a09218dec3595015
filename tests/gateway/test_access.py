"""Host, Origin, Fetch-Metadata and the token, on every route of the OpenAPI document and the
socket."""

from __future__ import annotations

import stat
from pathlib import Path

import httpx
import pytest
import websockets

from lab.errors import InvalidArgument
from services.gateway.service import Settings, refuse_unsafe
from tests.support.gateway import Fakes, Gateway, gateway, raw
from tests.support.live_client import LiveClient

EXAMPLES = {
    "{run}": "nano-1",
    "{checkpoint}": "step-00000010",
    "{corpus}": "verdict",
    "{preset}": "nano",
    "{model}": "m1",
    "{generation}": "g1",
}
JSON = {"Content-Type": "application/json"}


async def every_route(http: httpx.AsyncClient) -> list[tuple[str, str]]:
    document = (await http.get("/api/openapi.json")).json()
    routes = [("GET", "/"), ("GET", "/docs"), ("GET", "/metrics"), ("GET", "/readyz")]
    for path, operations in document["paths"].items():
        for placeholder, example in EXAMPLES.items():
            path = path.replace(placeholder, example)
        routes += [(method.upper(), path) for method in operations]
    assert len(routes) > 30
    return routes


def hosts_that_are_foreign(port: int) -> list[str]:
    return [
        "evil.example",
        f"evil.example:{port}",
        "localhost",  # without its port
        "localhost:1",
        f"localhost.evil.example:{port}",
        f"127.0.0.1:{port}@evil.example",
        f"127.0.0.1:{port}/?#",
        f"0.0.0.0:{port}",
        "",
    ]


async def test_a_foreign_host_is_refused_everywhere(
    served: Gateway, http: httpx.AsyncClient, fakes: Fakes
) -> None:
    for method, path in await every_route(http):
        for host in hosts_that_are_foreign(served.server.port):
            answer = await http.request(method, path, headers={"Host": host, **JSON})
            assert answer.status_code == 400, (method, path, host)
            assert answer.json()["reason"] == "FORBIDDEN_ORIGIN"
    assert fakes.calls == 0


async def test_none_or_two_host_headers_are_refused(served: Gateway) -> None:
    own = f"Host: 127.0.0.1:{served.server.port}\r\n"
    for hosts in ("", own + own):
        answer = await raw(served, f"GET /api/runs HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")


async def test_every_name_of_loopback_is_answered(served: Gateway, http: httpx.AsyncClient) -> None:
    for name in ("localhost", "127.0.0.1", "[::1]", "LOCALHOST"):
        for port in served.server.ports:
            answer = await http.get("/healthz", headers={"Host": f"{name}:{port}"})
            assert answer.status_code == 200


FOREIGN = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:1"},
    {"Origin": "https://localhost:3000"},
    {"Origin": "http://localhost:3000.evil.example"},
    {"Origin": ""},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "nonsense"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
]


async def test_a_foreign_page_is_refused_everywhere(http: httpx.AsyncClient, fakes: Fakes) -> None:
    for method, path in await every_route(http):
        for headers in FOREIGN:
            answer = await http.request(method, path, headers={**headers, **JSON})
            assert answer.status_code == 403, (method, path, headers)
            assert answer.json()["reason"] == "FORBIDDEN_ORIGIN"
    assert fakes.calls == 0


async def test_own_pages_may_do_everything(
    served: Gateway, http: httpx.AsyncClient, fakes: Fakes
) -> None:
    fakes.trainer.add_run("nano-1")
    own = [
        {},
        {"Origin": f"http://localhost:{served.server.ports[1]}", "Sec-Fetch-Site": "same-origin"},
        {"Origin": f"http://127.0.0.1:{served.server.ports[0]}", "Sec-Fetch-Site": "same-site"},
        {"Origin": "http://localhost:3000"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ]
    for headers in own:
        for method, path in (("GET", "/api/runs"), ("POST", "/api/runs/nano-1:resume")):
            answer = await http.request(method, path, headers={**headers, **JSON})
            assert answer.status_code == 200, (headers, answer.text)


async def test_a_link_from_elsewhere_opens_the_dashboard_but_changes_nothing(
    http: httpx.AsyncClient, fakes: Fakes
) -> None:
    followed = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }
    assert (await http.get("/runs/nano-1", headers=followed)).status_code == 200
    answer = await http.post("/api/runs/nano-1:stop", headers={**followed, **JSON})
    assert answer.status_code == 403
    assert fakes.calls == 0


@pytest.mark.parametrize("headers", [*FOREIGN, {"Host": "evil.example"}])
async def test_a_foreign_page_gets_no_socket(served: Gateway, headers: dict[str, str]) -> None:
    client = LiveClient(served.live_url, headers=headers)
    with pytest.raises(websockets.InvalidStatus) as refused:
        await client.open()
    assert refused.value.response.status_code == (400 if "Host" in headers else 403)
    assert refused.value.response.headers["x-content-type-options"] == "nosniff"
    assert b"FORBIDDEN_ORIGIN" in (refused.value.response.body or b"")


async def test_an_own_page_gets_a_socket(served: Gateway) -> None:
    async with served.live(origin=f"http://localhost:{served.server.ports[1]}") as client:
        assert client.general[0].welcome.protocol == 1


async def test_every_answer_carries_the_security_headers(http: httpx.AsyncClient) -> None:
    for path in ("/", "/api/runs", "/api/nothing", "/assets/index-abc123.js", "/docs"):
        headers = (await http.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers
    refused = (await http.get("/", headers={"Host": "evil.example"})).headers
    assert "evil" not in refused["content-security-policy"]


# The token


async def test_with_a_token_nothing_answers_without_it(fakes: Fakes, tmp_path: Path) -> None:
    async with gateway(fakes, tmp_path, auth="token") as running, running.http() as http:
        token_file = tmp_path / "gateway-token"
        assert stat.S_IMODE(token_file.stat().st_mode) == 0o600
        token = token_file.read_text().strip()
        link_file = tmp_path / "gateway-link"
        assert stat.S_IMODE(link_file.stat().st_mode) == 0o600
        assert link_file.read_text().endswith(f"/#token={token}\n")
        good = {"Authorization": f"Bearer {token}"}
        document = (await http.get("/api/openapi.json", headers=good)).json()
        for path, operations in document["paths"].items():
            if path in ("/api/health", "/api/session"):
                continue
            for placeholder, example in EXAMPLES.items():
                path = path.replace(placeholder, example)
            for method in operations:
                for headers in ({}, {"Authorization": "Bearer x"}, {"Cookie": "lab_session=x"}):
                    answer = await http.request(method.upper(), path, headers={**headers, **JSON})
                    assert answer.status_code == 401, (method, path)
                    assert token not in answer.text
        assert (await http.get("/metrics")).status_code == 401
        assert (await http.get("/")).status_code == 200
        assert fakes.calls == 0
        assert (await http.get("/api/runs", headers=good)).status_code == 200


async def test_the_token_is_swapped_for_a_cookie(fakes: Fakes, tmp_path: Path) -> None:
    async with gateway(fakes, tmp_path, auth="token") as running, running.http() as http:
        token = (tmp_path / "gateway-token").read_text().strip()
        assert (await http.post("/api/session", headers=JSON)).status_code == 401
        good = {"Authorization": f"Bearer {token}", **JSON}
        swapped = await http.post("/api/session", headers=good)
        assert swapped.status_code == 204
        cookie = swapped.headers["set-cookie"]
        assert token not in cookie
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert (await http.get("/api/runs")).status_code == 200  # httpx keeps the cookie
        pair = cookie.partition(";")[0]
        async with running.live(headers={"Cookie": f"theme=dark; {pair}"}) as client:
            assert client.general[0].welcome.session
        with pytest.raises(websockets.InvalidStatus) as refused:
            await running.live().open()
        assert refused.value.response.status_code == 401
    async with gateway(fakes, tmp_path, auth="token") as again, again.http() as http:
        answer = await http.get("/api/runs", headers={"Cookie": pair})
        assert answer.status_code == 200, "a restart keeps the token and so the session"


@pytest.mark.parametrize(
    ("settings", "starts"),
    [
        ({"host": "127.0.0.1"}, True),
        ({"host": "::1"}, True),
        ({"host": "localhost"}, True),
        ({"host": "0.0.0.0"}, False),
        ({"host": "192.168.1.5"}, False),
        ({"host": "::"}, False),
        ({"host": "0.0.0.0", "auth": "token"}, True),
        ({"host": "0.0.0.0", "behind_loopback_publish": True}, True),
    ],
)
def test_reachable_from_elsewhere_only_with_a_token(
    settings: dict[str, object], starts: bool
) -> None:
    values = Settings.model_validate(settings)
    if starts:
        refuse_unsafe(values)
    else:
        with pytest.raises(InvalidArgument, match=r"set gateway\.auth to token"):
            refuse_unsafe(values)
