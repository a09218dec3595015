"""At every system call that touches the checkpoint folder: the process is killed, the disk fails,
the disk is full. What was saved stays, what is listed is whole, what was promised is there."""

from __future__ import annotations

import itertools
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import manifest
from tests.support import strace
from tests.support.checkpoint_service import PEEK
from tests.support.store_driver import DELETED, NEW, OLD, SCENARIOS, Store, open_store, prepare

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(bool(why := strace.why_not()), reason=why),
]

LONG = pytest.param("peek", marks=pytest.mark.soak)  # as many calls as all the others
# What is listed before each, and after.
BEFORE = {OLD}
AFTER = {
    "save": {OLD, NEW},
    "peek": {OLD},
    "pin": {OLD},
    "delete": set[str](),
    "restore": {OLD, DELETED},
    "discard": {OLD},
}


@pytest.fixture(scope="module")
def driver() -> Iterator[strace.Driver]:
    with strace.Driver() as started:
        yield started


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[Path]:
    """Never-ending copies of a small store, each at a path of the same length."""
    prepare(tmp_path / "prepared")

    def copies() -> Iterator[Path]:
        for number in itertools.count():
            home = tmp_path / f"{number:05d}"
            shutil.copytree(tmp_path / "prepared", home)
            yield home
            shutil.rmtree(home, ignore_errors=True)

    return copies()


def _calls(driver: strace.Driver, home: Path, scenario: str) -> list[strace.Call]:
    plain = driver.run(home, scenario)
    assert plain.status == 0, plain.said
    return strace.calls_on(home, plain.trace)


def _listed(store: Store, home: Path) -> set[str]:
    """Looks at everything as the next start of the service would, down to the last byte."""
    found = {checkpoint.name for checkpoint in store.catalog.all()}
    for folder in [*home.glob("checkpoints/[!.]*/*"), *home.glob("peeks/*/*")]:
        assert manifest.damage(folder, manifest.read(folder)) == []
    assert store.catalog.get(PEEK).kind  # a peek was there, and one always is
    assert store.catalog.look()[1] == []
    assert not list(home.glob("*/.tmp-*")), "a start left what was unfinished"
    return found


@pytest.mark.parametrize("scenario", [*sorted(SCENARIOS.keys() - {"peek"}), LONG])
def test_killed_at_every_call_it_is_old_or_new_and_never_none(
    driver: strace.Driver, homes: Iterator[Path], scenario: str
) -> None:
    calls = _calls(driver, next(homes), scenario)
    seen: list[set[str]] = []
    for call, home in zip(calls, homes, strict=False):
        killed = driver.run(home, scenario, inject=f"{call.name}:signal=KILL:when={call.number}")
        assert killed.status == -signal.SIGKILL, f"no kill at {call}"
        assert strace.calls_on(home, [killed.last_call]), f"killed elsewhere: {killed.last_call}"
        store = open_store(home)
        listed = _listed(store, home)
        assert listed in (BEFORE, AFTER[scenario]), f"{listed} after a kill at {call}"
        seen.append(listed)
        if scenario == "save":  # what was cut off can be done again
            store.save(NEW)
            assert _listed(store, home) == AFTER[scenario]
        store.blobs.close()
    assert len(seen) >= 4, "hardly anything was tried"
    if AFTER[scenario] != BEFORE:
        assert BEFORE in seen
        first_new = seen.index(AFTER[scenario])
        assert all(listed == AFTER[scenario] for listed in seen[first_new:]), "it went back"


@pytest.mark.parametrize("scenario", ["save", "pin", LONG])
@pytest.mark.parametrize(
    ("error", "names", "said"),
    [
        ("EIO", ("fsync",), "input/output error"),
        ("ENOSPC", ("write", "mkdir", "openat"), "the disk filled up"),
    ],
)
def test_a_failing_or_full_disk_is_never_acknowledged(
    driver: strace.Driver,
    homes: Iterator[Path],
    scenario: str,
    error: str,
    names: tuple[str, ...],
    said: str,
) -> None:
    calls = [
        call
        for call in _calls(driver, next(homes), scenario)
        if call.name in names
        and "EEXIST" not in call.line
        and (call.name != "openat" or "O_CREAT" in call.line)
    ]
    for call, home in zip(calls, homes, strict=False):
        failed = driver.run(home, scenario, inject=f"{call.name}:error={error}:when={call.number}")
        assert failed.injected, f"no {error} at {call}"
        assert (failed.status, said in failed.said) == (3, True), f"{failed.said!r} at {call}"
        left = [path for path in home.glob("*/.tmp-*") if path.is_dir()]
        assert left == [], f"left behind after {error} at {call}"
        store = open_store(home)
        assert _listed(store, home) == BEFORE
        store.blobs.close()
        again = driver.run(home, scenario)  # without a fault
        assert again.status == 0, again.said
    assert calls
