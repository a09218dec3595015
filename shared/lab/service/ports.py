"""Who holds a port that one wants to listen on."""

from __future__ import annotations

import psutil


def holder(port: int) -> str:
    """As in "pid 4711 (python)", as far as this user may know."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.Error:  # some systems tell only root
        return "another process"
    for connection in connections:
        here = connection.laddr
        if connection.status == psutil.CONN_LISTEN and here and here.port == port:
            if connection.pid is None:
                return "a process of another user"
            try:
                return f"pid {connection.pid} ({psutil.Process(connection.pid).name()})"
            except psutil.Error:
                return f"pid {connection.pid}"
    return "another process"
