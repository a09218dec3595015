"""Ports of the gateway: taken before anything is served, with the holder named if one is busy."""

import errno
import socket
from collections.abc import Sequence

import psutil

from lab.errors import Unavailable

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
                f"port {port} is taken{_holder(port)}; stop that process, or choose other ports "
                "with the setting gateway.ports"
            ) from None
        raise Unavailable(f"{host}:{port} cannot be listened on: {error.strerror}") from None
    made.setblocking(False)
    return made


def _holder(port: int) -> str:
    """Who holds the port, as far as this user may know."""
    try:
        for connection in psutil.net_connections(kind="tcp"):
            address = connection.laddr
            if connection.status == psutil.CONN_LISTEN and address and address.port == port:
                if connection.pid is None:
                    return ""
                return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:
        return ""
    return ""
