"""Faults at system calls, by Debian's strace: one call of a process fails or kills it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# What changes a folder, and what ends a change.
CALLS = (
    "openat,mkdir,mkdirat,write,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,rmdir,"
    "close,ftruncate"
)
_LINE = re.compile(r"(?:\d+ +)?(?P<call>[a-z0-9_]+)\(")


def why_not() -> str:
    """Why strace cannot be used here; empty when it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(
        ["strace", "-e", "inject=getppid:error=EIO", "-e", "trace=none", "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    return f"strace may not trace here: {tried.stderr[:200]}" if tried.returncode else ""


@dataclass(frozen=True)
class Call:
    """The `number`th call of this name, and how strace wrote it."""

    name: str
    number: int
    line: str


@dataclass(frozen=True)
class Outcome:
    """How a traced child ended. A negative status is the signal that killed it."""

    status: int
    said: str
    trace: list[str]

    @property
    def injected(self) -> list[str]:
        return [line for line in self.trace if "INJECTED" in line]

    @property
    def last_call(self) -> str:
        return [line for line in self.trace if _LINE.match(line)][-1]


class Driver:
    """`with Driver() as driver`: tests.support.store_driver, waiting for orders."""

    def __enter__(self) -> Driver:
        self._process = subprocess.Popen(
            [sys.executable, "-B", "-m", "tests.support.store_driver"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()

    def run(self, home: Path, scenario: str, *, inject: str = "") -> Outcome:
        """The scenario under strace, with a fault as `inject` of strace says it."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"home": str(home), "scenario": scenario}) + "\n")
        self._process.stdin.flush()
        pid = self._answer()["pid"]
        with tempfile.NamedTemporaryFile("r", prefix="strace-") as written:
            command = ["strace", "-y", "-s", "0", "-o", written.name, "-e", f"trace={CALLS}"]
            command += ["-e", f"inject={inject}"] if inject else []
            tracer = subprocess.Popen([*command, "-p", str(pid)], stderr=subprocess.PIPE, text=True)
            assert tracer.stderr is not None
            attached = tracer.stderr.readline()
            assert "attached" in attached, attached
            os.kill(pid, signal.SIGCONT)
            ended = self._answer()
            tracer.communicate(timeout=60)
            return Outcome(ended["status"], ended["said"], written.read().splitlines())

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


def calls_on(home: Path, trace: list[str]) -> list[Call]:
    """The calls that touch the folder, each counted as strace counts: per name, all of them."""
    counts: Counter[str] = Counter()
    found = []
    for line in trace:
        if (match := _LINE.match(line)) is None:
            continue
        counts[match["call"]] += 1
        if str(home) in line:
            found.append(Call(match["call"], counts[match["call"]], line))
    return found
