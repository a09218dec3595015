"""Background work is never silently dead."""

import asyncio
import gc
import weakref

from lab.service.tasks import Tasks
from tests.support.waiting import until


async def test_a_task_that_dies_is_told_with_its_name() -> None:
    tasks = Tasks()

    async def die() -> None:
        raise RuntimeError("out of luck")

    tasks.start("beat", die())
    error = await asyncio.wait_for(tasks.failed, 5)
    assert str(error) == "out of luck"
    assert "beat" in error.__notes__[0]


async def test_a_task_that_ends_is_no_failure() -> None:
    tasks = Tasks()

    async def end() -> None:
        return

    await tasks.start("once", end())
    await tasks.stop()
    assert not tasks.failed.done()


async def test_the_first_death_counts_and_the_second_does_no_harm() -> None:
    tasks = Tasks()

    async def die(words: str) -> None:
        raise RuntimeError(words)

    first = tasks.start("first", die("first"))
    second = tasks.start("second", die("second"))
    await until(lambda: first.done() and second.done())
    assert str(await asyncio.wait_for(tasks.failed, 5)) == "first"


async def test_stop_cancels_what_runs_and_waits_for_it() -> None:
    tasks, left = Tasks(), []

    async def run() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            left.append("tidied up")

    running = tasks.start("for ever", run())
    await asyncio.sleep(0)  # let it begin
    await tasks.stop()
    assert running.cancelled()
    assert left == ["tidied up"]
    assert not tasks.failed.done()


async def test_tasks_are_held_on_to() -> None:
    """The event loop holds them weakly: one that waits for what only it knows would be lost."""
    tasks, done = Tasks(), []
    gates: list[weakref.ref[asyncio.Future[None]]] = []

    async def work() -> None:
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        gates.append(weakref.ref(gate))
        await gate
        done.append(True)

    tasks.start("work", work())
    await until(lambda: gates)
    gc.collect()
    gate = gates[0]()
    assert gate is not None, "the task was collected while it waited"
    gate.set_result(None)
    await until(lambda: done)
