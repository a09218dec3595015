"""Which Hosts and Origins may speak to the gateway: exact strings, deny by default."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from lab.errors import Code, LabError
from services.gateway.api.problems import foreign

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True)
class AllowedPlaces:
    """Whoever sends anything else may not ask, whatever the route and the method."""

    hosts: frozenset[str]
    origins: frozenset[str]

    @classmethod
    def of(
        cls, *, ports: Sequence[int], hosts: Iterable[str] = (), origins: Iterable[str] = ()
    ) -> "AllowedPlaces":
        """Loopback at these ports, plus hosts and origins that were configured.

        A configured origin is a host too: a development server passes the Host of its page on.
        """
        origins = [origin.lower().rstrip("/") for origin in origins]
        known = {f"{name}:{port}" for name in LOOPBACK_NAMES for port in ports}
        if 80 in ports:
            known |= set(LOOPBACK_NAMES)
        known |= {host.lower() for host in hosts} | {urlsplit(origin).netloc for origin in origins}
        return cls(
            hosts=frozenset(known),
            origins=frozenset({f"http://{host}" for host in known} | set(origins)),
        )

    def refusal(
        self, headers: Sequence[tuple[bytes, bytes]], *, method: str, socket: bool
    ) -> LabError | None:
        """Why this request may not be answered, if it may not."""
        return self._wrong_host(_all(headers, b"host")) or self._wrong_origin(
            _all(headers, b"origin"),
            _all(headers, b"sec-fetch-site"),
            # Following a link to the dashboard from anywhere is fine; its page says nothing yet.
            followed_link=method == "GET"
            and not socket
            and _all(headers, b"sec-fetch-mode") == ["navigate"]
            and _all(headers, b"sec-fetch-dest") == ["document"],
            changes_something=socket or method not in SAFE_METHODS,
        )

    def _wrong_host(self, hosts: list[str]) -> LabError | None:
        if len(hosts) == 1 and hosts[0].lower() in self.hosts:
            return None
        return foreign(
            "the Host header names no address of this gateway; use http://localhost:PORT, or add "
            "the host to the setting gateway.allowed_hosts",
            code=Code.INVALID_ARGUMENT,
        )

    def _wrong_origin(
        self, origins: list[str], sites: list[str], *, followed_link: bool, changes_something: bool
    ) -> LabError | None:
        """A browser tells where a request comes from; a page from elsewhere may not ask."""
        origin_known = len(origins) == 1 and origins[0].lower() in self.origins
        if origins and not origin_known:
            return _FOREIGN_ORIGIN
        if not sites or followed_link:
            return None
        site = sites[0].lower() if len(sites) == 1 else "cross-site"
        if site in ("same-origin", "none") or (site == "same-site" and origin_known):
            return None
        # Sec-Fetch-Site can say cross-site for an allowed origin: localhost and 127.0.0.1 differ.
        return None if origin_known and not changes_something else _FOREIGN_ORIGIN


_FOREIGN_ORIGIN = foreign(
    "a page from another place may not use this gateway; open the dashboard at the gateway's own "
    "address, or add its origin to the setting gateway.allowed_origins"
)


def _all(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for key, value in headers if key == name]
