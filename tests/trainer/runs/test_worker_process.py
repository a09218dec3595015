"""Child processes: how they are started, heard and how their ends are told. Programs of one line
stand in for the worker; the link is the real one."""

import os
import sys
from pathlib import Path

import psutil
import pytest
import structlog
from structlog.testing import capture_logs

from lab.v1.worker_pb2 import PauseTraining, WorkerCommand
from services.trainer.runs import worker_process
from services.trainer.runs.worker_process import Ending, WorkerProcess, start_worker
from tests.support.processes import ended
from tests.support.waiting import until

ECHO = """
import socket
from lab.link import Link
from lab.v1.worker_pb2 import WorkerCommand, WorkerEvent, TrainingPaused
link = Link(socket.socket(fileno=0))
link.receive(WorkerCommand)
link.send(WorkerEvent(paused=TrainingPaused(step=7)))
"""


async def start(program: str, *, nice: int = 0, silence_secs: float = 30.0) -> WorkerProcess:
    return await start_worker(
        "a", nice=nice, silence_secs=silence_secs, command=(sys.executable, "-c", program)
    )


async def test_what_is_said_is_heard_and_the_end_is_told() -> None:
    worker = await start(ECHO)
    await worker.send(WorkerCommand(pause=PauseTraining()))
    heard = [event async for event in worker.events()]
    assert [event.paused.step for event in heard] == [7]
    assert await worker.ended() == Ending(0)


async def test_an_exit_without_a_word_is_named() -> None:
    worker = await start("raise SystemExit(3)")
    assert [event async for event in worker.events()] == []
    assert "exit code 3" in str(await worker.ended())


async def test_a_death_by_signal_is_named() -> None:
    worker = await start("import os; os.abort()")
    assert [event async for event in worker.events()] == []
    assert "SIGABRT" in str(await worker.ended())


def test_a_kill_hints_at_memory() -> None:
    assert "memory may have run out" in str(Ending(-9))
    assert "memory" not in str(Ending(-15))
    assert "did not answer" in str(Ending(-9, unheard=True))
    assert "one of its 2 processes was lost" in str(Ending(1, processes=2))


async def test_commands_to_a_worker_that_is_gone_are_dropped() -> None:
    worker = await start("raise SystemExit(0)")
    assert [event async for event in worker.events()] == []
    await worker.ended()
    await worker.send(WorkerCommand(pause=PauseTraining()))


async def test_its_lines_reach_the_log_however_long() -> None:
    structlog.reset_defaults()
    with capture_logs() as logs:
        worker = await start(
            "import sys; sys.stderr.write('one\\n' + 'x' * 200_000 + '\\nlast without an end')"
        )
        assert [event async for event in worker.events()] == []
        await worker.ended()
    lines = [entry["line"] for entry in logs if entry["event"] == "worker"]
    assert lines[0] == "one"
    assert "".join(lines[1:-1]) == "x" * 200_000
    assert lines[-1] == "last without an end"
    assert {entry["pid"] for entry in logs if entry["event"] == "worker"} == {worker.pid}


async def test_training_steps_back_for_the_services() -> None:
    worker = await start("import time; time.sleep(60)", nice=10)
    assert os.getpriority(os.PRIO_PROCESS, worker.pid) == 10
    assert os.getsid(worker.pid) == worker.pid
    worker.kill()
    assert (await worker.ended()).exit_code == -9


async def test_a_kill_reaches_what_left_its_session() -> None:
    """torchrun starts each process in a session of its own."""
    sleep = "[sys.executable, '-c', 'import time; time.sleep(600)']"
    program = f"import subprocess, sys; subprocess.run({sleep}, start_new_session=True)"
    worker = await start(program)

    def left() -> list[psutil.Process]:
        children = psutil.Process(worker.pid).children()
        return [child for child in children if os.getsid(child.pid) == child.pid]

    children = await until(left, what="a child with a session of its own")
    worker.kill()
    assert (await worker.ended()).exit_code == -9
    await until(lambda: ended(children[0]), what="the end of its child")


async def test_a_worker_that_does_not_end_by_itself_is_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(worker_process, "DYING_SECS", 0.2)
    program = ECHO + "import time; time.sleep(600)"
    worker = await start(program)
    await worker.send(WorkerCommand(pause=PauseTraining()))
    async for event in worker.events():
        assert event.paused.step == 7
        break
    assert (await worker.ended()).exit_code == -9
