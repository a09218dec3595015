"""Ports of the gateway: taken before anything is served, with the holder named if one is busy."""

import errno
import socket
from collections.abc import Sequence

from lab.errors import Unavailable
from lab.service.ports import holder

BACKLOG = 2048


def listening_sockets(host: str, ports: Sequence[int]) -> list[socket.socket]:
    """A listening socket per port, in their order. Raises Unavailable and takes none."""
    taken: list[socket.socket] = []
    try:
        for port in ports:
            taken.append(_listening(host, port))
    except BaseException:
        for each in taken:
            each.close()
        raise
    return taken


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, because asyncio switches Nagle's algorithm off only on sockets that say they are TCP;
    # with it every answer of two packets takes 40 ms longer.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            raise Unavailable(
                f"port {port} is taken by {holder(port)}; stop that process, or choose other ports "
                "with the setting gateway.ports"
            ) from None
        raise Unavailable(f"{host}:{port} cannot be listened on: {error.strerror}") from None
    made.setblocking(False)
    return made
