"""`lab status`: every process of the cluster and what it waits for."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

import typer

from lab.cli.cluster.probe import Condition, probe
from lab.cli.output import answers, errors, table
from lab.client import Addresses
from lab.client.addresses import load

POLL_SECS = 0.25


def status(
    wait: Annotated[bool, typer.Option("--wait", help="Wait until everything is ready.")] = False,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait at most.")] = 60.0,
) -> None:
    """Show whether the cluster is ready; exit code 1 when it is not."""
    conditions = asyncio.run(_settled(load(), timeout if wait else 0.0))
    table(
        ("service", "state", "address", "version"),
        [
            (
                condition.name,
                condition.problem or "ready",
                ", ".join(condition.addresses),
                condition.version or "–",
            )
            for condition in conditions
        ],
    )
    if not all(condition.ready for condition in conditions):
        if all(condition.problem.startswith("nothing") for condition in conditions):
            errors.print("lab: no cluster is running here; start one with `make up` or `lab up`")
        raise typer.Exit(1)
    answers.print(f"dashboard: {load().dashboard}")


async def _settled(addresses: Addresses, wait_secs: float) -> list[Condition]:
    """As it is now, or when everything is ready, or when the time is over."""
    until = time.monotonic() + wait_secs
    while True:
        conditions = await probe(addresses)
        if all(condition.ready for condition in conditions) or time.monotonic() >= until:
            return conditions
        await asyncio.sleep(POLL_SECS)
