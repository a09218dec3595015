"""`lab up`, `down`, `ps` and `logs`: the local cluster, as `make` calls it."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from pathlib import Path
from typing import Annotated

import typer

from lab import folders
from lab.cli.cluster import nats_server, ports
from lab.cli.cluster.probe import Condition, probe
from lab.cli.cluster.supervision import PROGRAMS, Supervision
from lab.cli.output import answers, errors, table
from lab.cli.progress import Steps
from lab.client import Addresses
from lab.client.addresses import load
from lab.errors import InvalidArgument, LabError, PreconditionFailed
from lab.service.ports import holder

POLL_SECS = 0.2
LOG_LINES_ON_FAILURE = 20
FAILED_TRIES = 3  # of one program, after which waiting on makes no sense


def up(
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait until ready.")] = 90.0,
) -> None:
    """Start the local cluster and wait until it is ready; harmless when it runs already."""
    began = time.monotonic()
    addresses = load()
    supervision = Supervision(addresses.home)
    was_running = supervision.running()
    if was_running:
        for name in supervision.start_stopped():
            answers.print(f"{name} was not running: started")
    else:
        _prepare_folders(addresses.home)
        environment = _environment(addresses)
        _clear_leftovers(addresses.home)
        _check_ports(addresses)
        supervision.start(environment)
    culprits = _wait_until_ready(addresses, supervision, timeout)
    if culprits:
        for condition in culprits:
            errors.print(f"lab: {condition.name} is not ready: {condition.problem}")
            _print_tail(_log_file(addresses.home, condition.name))
        if not was_running:
            supervision.stop()
            errors.print("lab: the cluster was stopped again; its logs stay")
        raise typer.Exit(1)
    word = "was already running" if was_running else f"ready in {time.monotonic() - began:.1f} s"
    answers.print(f"{word}; dashboard: {addresses.dashboard}")


def down() -> None:
    """Stop the local cluster; harmless when none runs."""
    home = load().home
    with Steps() as steps:
        steps.show("stopping; runs in training end at their next step")
        stopped = Supervision(home).stop()
        _clear_leftovers(home)
    answers.print("stopped" if stopped else "no cluster was running")


def ps() -> None:
    """List the processes of the local cluster; exit code 1 when none runs."""
    programs = Supervision(load().home).programs()
    if not programs:
        errors.print("lab: no cluster is running here; start one with `make up` or `lab up`")
        raise typer.Exit(1)
    table(
        ("process", "state", ">pid", "for"),
        [
            (program.name, program.state.lower(), str(program.pid or "–"), program.description)
            for program in programs
        ],
    )


def logs(
    service: Annotated[str, typer.Argument(metavar="[SERVICE]", help="All when left out.")] = "",
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
) -> None:
    """Print the newest log lines of one process or of all."""
    names = (*PROGRAMS, "supervisord")
    if service and service not in names:
        raise InvalidArgument.field("service", f'"{service}" must be one of {", ".join(names)}')
    home = load().home
    files = [_log_file(home, name) for name in ([service] if service else PROGRAMS)]
    if not any(file.is_file() for file in files):
        raise PreconditionFailed(f"no logs yet in {home / 'logs'}; start a cluster with `lab up`")
    for file in files:
        _print_tail(file, lines=lines)
    if follow:
        _follow(files)


def _prepare_folders(home: Path) -> None:
    try:
        for folder in (home / "logs", home / "run", home / "nats"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / "run" / ".writable").touch()
    except OSError as error:
        raise PreconditionFailed(
            f"the data folder {home} cannot be written: {error.strerror}; "
            "make it writable or set LAB_HOME to another folder"
        ) from error


def _environment(addresses: Addresses) -> dict[str, str]:
    """What configs/cluster/local.conf asks of its environment."""
    return {
        "LAB_HOME": str(addresses.home),
        "LAB_CONFIGS": str(folders.configs()),
        "LAB_CHECKOUT": str(folders.checkout()),
        "LAB_PYTHON": sys.executable,
        "LAB_NATS_SERVER": str(nats_server.find()),
        "LAB_NATS_PORT": str(_port(addresses.nats)),
    }


def _clear_leftovers(home: Path) -> None:
    if left := ports.leftovers(home):
        pids = ", ".join(str(process.pid) for process in left)
        answers.print(f"ending what an earlier cluster left running (pid {pids})")
        ports.end(left)


def _check_ports(addresses: Addresses) -> None:
    busy = [
        f"{name} needs {address}, which {holder(_port(address))} holds"
        for name, where in addresses.by_service().items()
        for address in where
        if not ports.is_free(address)
    ]
    if busy:
        raise PreconditionFailed(
            "; ".join(busy) + ". End that process, or set another port, "
            "as in LAB_TRAINER__PORT=50061 (configs/cluster/local.yaml has them all)"
        )


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


def _wait_until_ready(
    addresses: Addresses, supervision: Supervision, timeout_secs: float
) -> list[Condition]:
    """Tells each service as it becomes ready; answers what is not ready in the end."""
    until = time.monotonic() + timeout_secs
    told: set[str] = set()
    failed_at: dict[str, set[int]] = {name: set() for name in PROGRAMS}
    with Steps() as steps:
        while True:
            conditions = asyncio.run(probe(addresses))
            for condition in conditions:
                if condition.ready and condition.name not in told:
                    told.add(condition.name)
                    steps.done(f"{condition.name} ready at {', '.join(condition.addresses)}")
            waiting = [condition for condition in conditions if not condition.ready]
            if not waiting or time.monotonic() > until:
                return waiting
            hopeless = _hopeless(supervision, failed_at)
            if culprits := [one for one in waiting if one.name in hopeless]:
                return culprits
            steps.show(", ".join(f"{one.name}: {one.problem}" for one in waiting))
            time.sleep(POLL_SECS)


def _hopeless(supervision: Supervision, failed_at: dict[str, set[int]]) -> set[str]:
    """Programs that ended by themselves again and again; `failed_at` remembers when."""
    programs = supervision.programs()
    if not programs:
        raise LabError("supervisord has ended; see its log with `lab logs supervisord`")
    for program in programs:
        if program.state in ("BACKOFF", "FATAL"):
            failed_at[program.name].add(program.stopped_at_secs)
    return {name for name, times in failed_at.items() if len(times) >= FAILED_TRIES}


def _log_file(home: Path, name: str) -> Path:
    return home / "logs" / f"{name}.log"


def _print_tail(file: Path, *, lines: int = LOG_LINES_ON_FAILURE) -> None:
    try:
        with file.open(encoding="utf-8", errors="replace") as opened:
            newest = deque(opened, maxlen=lines)
    except OSError:
        return
    answers.print(f"── {file.stem} ({file})", style="dim")
    for line in newest:
        answers.print(line.rstrip("\n"), soft_wrap=True)


def _follow(files: list[Path]) -> None:
    """Until Ctrl-C; a rotated file is opened anew."""
    places = {file: file.stat().st_size for file in files if file.is_file()}
    while True:
        for file in files:
            size = file.stat().st_size if file.is_file() else 0
            start = places.get(file, 0)
            if size < start:
                start = 0
            if size > start:
                with file.open("rb") as opened:
                    opened.seek(start)
                    for line in opened.read(size - start).decode(errors="replace").splitlines():
                        answers.print(f"{file.stem}: {line}", soft_wrap=True)
            places[file] = size
        time.sleep(POLL_SECS)
