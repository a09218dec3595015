"""Compiles the kernels: `python -m lab.kernels`, once, when the lab is installed.

Not when a run begins: nobody shall wait half a minute for a first step, and a machine that trains
needs no compiler. Where none is, nothing is lost but speed.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import torch

HERE = Path(__file__).parent
SOURCE = HERE / "operations.cpp"
SECS = 600
# What every processor has that multiplies bf16 by itself; others never load the library.
_FLAGS = (
    *("-O3", "-std=c++20", "-fPIC", "-shared", "-fopenmp", "-w", "-mfma"),
    *("-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mavx512bf16", "-mavx512vnni"),
)


def library() -> Path:
    """Where the library belongs that these sources make with this torch."""
    parts = [torch.__version__, *_FLAGS]
    parts += [path.read_text() for path in [*sorted(HERE.glob("*.h")), SOURCE]]
    name = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    return HERE / "built" / f"{name}.so"


def possible() -> bool:
    """Whether this kind of machine is one that the kernels are written for."""
    return platform.machine() == "x86_64" and platform.system() == "Linux"


def build() -> str:
    """Makes the library if it is not there; answers in a sentence what came of it."""
    wanted = library()
    if wanted.exists():
        return "the kernels are built"
    if not possible():
        return "no kernels for this kind of machine: torch's own are used"
    compiler = shutil.which("g++")
    if compiler is None:
        return "no kernels without g++: torch's own are used"
    began = time.monotonic()
    wanted.parent.mkdir(exist_ok=True)
    torch_folder = Path(torch.__file__).parent
    with tempfile.TemporaryDirectory(dir=wanted.parent) as folder:
        made = Path(folder) / wanted.name
        command = [compiler, *_FLAGS, str(SOURCE), "-o", str(made)]
        for include in ("include", "include/torch/csrc/api/include"):
            command += ["-isystem", str(torch_folder / include)]
        # The OpenMP that torch brought along, so that its threads are shared and not doubled.
        command += [f"-L{torch_folder / 'lib'}", "-ltorch_cpu", "-lc10"]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=SECS)
        except subprocess.TimeoutExpired:
            return f"no kernels: g++ took longer than {SECS} s; torch's own are used"
        except subprocess.CalledProcessError as error:
            lines = [line for line in error.stderr.splitlines() if "error" in line]
            why = lines[0] if lines else f"exit code {error.returncode}"
            return f"no kernels, torch's own are used; g++ says: {why}"
        for old in wanted.parent.glob("*.so"):
            old.unlink()
        os.replace(made, wanted)
    return f"built the kernels in {time.monotonic() - began:.0f} s"
