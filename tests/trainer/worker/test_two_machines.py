"""Two machines train one model: two network namespaces, joined by a cable, with a home each."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import psutil
import pytest

from lab import folders, manifest
from lab.text import Assets
from tests.support.processes import all_end
from tests.support.waiting import until

REASON = "making network namespaces takes root and the program ip"
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(os.getuid() != 0 or shutil.which("ip") is None, reason=REASON),
]

TINY = """
model: {layers: 2, width: 32, heads: 2, context: 32}
data: {corpus: tiny-shakespeare}
budget: {batch: 5, micro_batch: 2, threads: 1, steps: 1000000, precision: fp32}
hooks: {evaluate_every: 0, sample_every: 0, checkpoint_every: 5}
"""
ADDRESSES = ("10.213.77.1", "10.213.77.2")
PORT = 29_400  # nothing else listens in a namespace of its own


def ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=20)
    if done.returncode and "not permitted" in done.stderr:
        pytest.skip(REASON)
    assert done.returncode == 0, done.stderr


@contextmanager
def namespace(name: str) -> Iterator[str]:
    ip("netns", "add", name)
    try:
        ip("-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        ip("netns", "del", name)


@pytest.fixture
def machines() -> Iterator[list[str]]:
    """The names of two namespaces; the end of the cable has the same name in both."""
    names = [f"lab{os.getpid()}{letter}" for letter in "ab"]
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(namespace(name))
        one, other = names
        ip("-n", one, "link", "add", "cable", "type", "veth", "peer", "cable", "netns", other)
        for name, address in zip(names, ADDRESSES, strict=True):
            ip("-n", name, "address", "add", f"{address}/30", "dev", "cable")
            ip("-n", name, "link", "set", "cable", "up")
        yield names


class Machine:
    """torchrun on one of them, as services/trainer/README.md has it."""

    def __init__(self, name: str, address: str, folder: Path) -> None:
        folder.mkdir()
        (folder / "tiny.yaml").write_text(TINY)
        self.out, self._log = folder / "kept", folder / "log"
        torchrun = [
            *("--nnodes", "2", "--nproc-per-node", "1", "--max-restarts", "3"),
            *("--rdzv-backend", "c10d", "--rdzv-endpoint", f"{ADDRESSES[0]}:{PORT}"),
            *("--rdzv-id", "test", "--local-addr", address),
            *("--rdzv-conf", f"is_host={int(address == ADDRESSES[0])}"),
        ]
        train = ["--config", "nano", "--yaml", str(folder / "tiny.yaml"), "--out", str(self.out)]
        with self._log.open("w") as log:
            self.torchrun = subprocess.Popen(
                [
                    *("ip", "netns", "exec", name, sys.executable, "-m", "torch.distributed.run"),
                    *(*torchrun, "-m", "lab", "train", *train),
                ],
                env=folders.child_environment(
                    LAB_HOME=str(folder / "home"),
                    LAB_ASSET_MIRROR=str(folders.home() / "assets"),
                    GLOO_SOCKET_IFNAME="cable",
                    TORCH_DISABLE_SHARE_RDZV_TCP_STORE="1",
                ),
                cwd=folders.checkout(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        return self._log.read_text()

    def family(self) -> list[psutil.Process]:
        torchrun = psutil.Process(self.torchrun.pid)
        return [torchrun, *torchrun.children(recursive=True)]

    def end(self) -> list[psutil.Process]:
        try:
            family = self.family()
        except psutil.NoSuchProcess:
            return []
        self.torchrun.send_signal(signal.SIGTERM)
        return family


class Pair:
    """Both machines in one training; `leader` is the one that saves."""

    def __init__(self, one: Machine, other: Machine) -> None:
        self._both = (one, other)
        self.leader, self.follower = one, other

    def newest(self, machine: Machine) -> int:
        """The newest step it says it saved; fails when a torchrun is gone."""
        for each in self._both:
            assert each.torchrun.poll() is None, each.said()
        words = machine.said().split("saved step ")[1:]
        return int(words[-1].split()[0].replace(",", "")) if words else 0

    async def first_save(self) -> None:
        self.leader = await until(
            lambda: next((each for each in self._both if self.newest(each)), None), secs=120
        )
        self.follower = next(each for each in self._both if each is not self.leader)


@asynccontextmanager
async def training(machines: list[str], folder: Path) -> AsyncIterator[Pair]:
    """Both train until the end of the block; then nothing of them may be left."""
    for asset in ("gpt2-encoder", "tiny-shakespeare"):
        Assets.at_home().fetch(asset)
    both = [
        Machine(name, address, folder / name)
        for name, address in zip(machines, ADDRESSES, strict=True)
    ]
    pair = Pair(*both)
    try:
        await pair.first_save()
        yield pair
    finally:
        left = [process for machine in both for process in machine.end()]
        ended = all_end(left, secs=60)
        for machine in both:
            machine.torchrun.kill()
            machine.torchrun.wait()
    assert ended


@pytest.mark.timeout(240)
async def test_two_machines_train_together(machines: list[str], tmp_path: Path) -> None:
    async with training(machines, tmp_path) as pair:
        assert "training tokens of tiny-shakespeare, 1,000,000 steps" in pair.leader.said()
        assert "saved step" not in pair.follower.said()
    checkpoint = manifest.read(pair.leader.out)
    assert checkpoint.step > 0
    assert checkpoint.spec.budget.processes == 2
    assert manifest.damage(pair.leader.out, checkpoint) == []


@pytest.mark.soak  # a minute, most of it torchrun's own waits; one machine's loss is in `make test`
@pytest.mark.timeout(420)
async def test_two_machines_train_again_after_one_lost_its_process(
    machines: list[str], tmp_path: Path
) -> None:
    async with training(machines, tmp_path) as pair:
        leader = pair.leader
        [worker] = [p for p in pair.follower.family() if "services.trainer.worker" in p.cmdline()]
        worker.kill()
        await until(lambda: "going on from step" in leader.said(), secs=120)
        begun = int(leader.said().split("going on from step ")[1].split()[0].replace(",", ""))
        assert begun % 5 == 0
        assert begun > 0
        await until(lambda: pair.newest(leader) > begun, secs=120)
    assert manifest.read(leader.out).step > begun
