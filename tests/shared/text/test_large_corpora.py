"""Large texts: several processes, little memory, and nothing left when they are interrupted."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from lab.errors import LabError
from lab.text import Corpora, DocumentReader, find_texts
from tests.shared.text.conftest import Place
from tests.support.waiting import until

PARAGRAPH = "It is the text itself that is learned, and so it must be read. \n" * 16


def big(path: Path, megabytes: int) -> Path:
    with path.open("w") as file:
        for number in range((megabytes << 20) // 1_024 + 1):
            file.write(f"{number}\n{PARAGRAPH[:1_020]}")
    return path


def add(corpora: Corpora, name: str, path: Path, *, processes: int) -> str:
    reader = DocumentReader(find_texts([path]).files)
    return corpora.add(name, reader, processes=processes).fingerprint


def tokenising(pid: int) -> list[psutil.Process]:
    """The processes of its pool."""
    found = []
    for child in psutil.Process(pid).children():
        with suppress(psutil.Error):  # gone, or a zombie, since it was listed
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


def test_several_processes_give_the_same_tokens(place: Place, tmp_path: Path) -> None:
    path, corpora = big(tmp_path / "a.txt", 3), place.corpora()
    one, three = (add(corpora, f"p{n}", path, processes=n) for n in (1, 3))
    assert one == three
    assert not tokenising(os.getpid())


def test_a_killed_process_is_told_and_leaves_nothing(place: Place, tmp_path: Path) -> None:
    path = big(tmp_path / "a.txt", 6)
    killed: list[int] = []

    def kill_one(_what: str, share: float) -> None:
        if share > 0 and not killed:
            victim = tokenising(os.getpid())[0]
            victim.kill()
            killed.append(victim.pid)

    reader = DocumentReader(find_texts([path]).files)
    with pytest.raises(LabError, match="a process that tokenises was killed"):
        place.corpora().add("mine", reader, processes=2, progress=kill_one)
    assert killed
    assert os.listdir(place.home / "corpora") == []


# Run in a process of its own: `main` of what a test wants, with a corpus folder and a text.
PROGRAM = """
import resource, sys
from pathlib import Path
from lab.text import Assets, Corpora, DocumentReader, find_texts

def main(home, mirror, catalogue, text, processes, room):
    assets = Assets(Path(home) / "assets", Path(mirror), catalogue=Path(catalogue) / "assets")
    corpora = Corpora(Path(home) / "corpora", assets, catalogue=Path(catalogue) / "corpora")
    corpora.count_tokens("the vocabulary is loaded")
    if int(room):
        data = next(line for line in open("/proc/self/status") if line.startswith("VmData"))
        limit = int(data.split()[1]) * 1024 + int(room)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    reader = DocumentReader(find_texts([Path(text)]).files)
    print(corpora.add("mine", reader, processes=int(processes)).text_bytes)

if __name__ == "__main__":
    main(*sys.argv[1:])
"""


@pytest.fixture
def begin(place: Place, tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)

    def begin(text: Path, *, processes: int, room: int = 0) -> subprocess.Popen[str]:
        places = (place.home, place.mirror, place.catalogue, text, processes, room)
        return subprocess.Popen(
            [sys.executable, str(program), *map(str, places)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return begin


def test_a_corpus_may_be_larger_than_memory(
    begin: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """The limit is 24 MB above what the empty program has; the text alone is 40 MB."""
    text = big(tmp_path / "a.txt", 40)
    process = begin(text, processes=1, room=24 << 20)
    answer, said = process.communicate(timeout=110)
    assert process.returncode == 0, said
    assert int(answer) == text.stat().st_size


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
async def test_interrupted_in_the_middle_nothing_half_is_left(
    begin: Callable[..., subprocess.Popen[str]],
    place: Place,
    tmp_path: Path,
    sent: signal.Signals,
) -> None:
    text, corpora = big(tmp_path / "a.txt", 60), place.home / "corpora"
    process = begin(text, processes=2)

    def writing() -> bool:
        assert process.poll() is None, process.communicate()
        return any(path.stat().st_size > 10_000 for path in corpora.glob(".mine.*.tmp/*.bin"))

    await until(writing, secs=60, what="tokens are being written")
    children = tokenising(process.pid)
    assert len(children) >= 2
    if sent is signal.SIGINT:  # as a terminal does: to everybody
        os.killpg(process.pid, sent)
    else:
        process.kill()
    _, said = process.communicate(timeout=60)
    assert process.returncode == -sent
    assert said.count("Traceback") <= 1, said  # its own; its processes end without a word
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
    assert list(place.corpora().ids()) == []
    if sent is signal.SIGKILL:  # nobody could tidy up; the next one does
        assert os.listdir(corpora)
        (tmp_path / "b.txt").write_text(PARAGRAPH)
        add(place.corpora(), "other", tmp_path / "b.txt", processes=1)
        assert os.listdir(corpora) == ["other"]
    else:
        assert os.listdir(corpora) == []
