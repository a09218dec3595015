"""What equal bits depend on besides the run itself. Saved with every checkpoint; compared when a
run goes on from one.

Sums of floats depend on their order, and that on how many threads share them and on which
instructions a library chooses for the processor it meets.
"""

import platform
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch

from lab import kernels
from services.trainer.worker.training import Training

_CPUINFO = Path("/proc/cpuinfo")
_CHOSEN_BY = ("sse", "ssse", "avx", "amx", "fma", "f16c", "asimd", "sve", "bf16", "i8mm")

# What has to be equal, and what a user calls it.
_MATTERS: Mapping[str, str] = {
    "torch": "torch version",
    "machine": "kind of machine",
    "processor": "processor",
    "processor_capability": "instructions torch uses",
    "processor_flags": "instructions of the processor",
    "threads": "threads",
    "processes": "processes",
    "dtype": "number format",
    "head_chunk_tokens": "tokens per piece of the output head",
    "compiled": "compiled blocks",
    "kernels": "kernels",
    "cuda": "GPU",
}


def environment(training: Training) -> dict[str, Any]:
    """As it is in this process. The Python version is for people: no sum depends on it."""
    processor = _processor()
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "machine": platform.machine(),
        "processor": processor.get("model name", ""),
        "processor_capability": torch.backends.cpu.get_cpu_capability(),
        "processor_flags": " ".join(
            sorted(
                flag
                for flag in (processor.get("flags") or processor.get("Features", "")).split()
                if flag.startswith(_CHOSEN_BY)
            )
        ),
        "threads": torch.get_num_threads(),
        "processes": training.ranks.place.world,
        "dtype": str(training.dtype).removeprefix("torch."),
        "head_chunk_tokens": training.room.chunk_tokens,
        "kernels": kernels.told(),
        "compiled": "yes" if training.model.compiled_blocks else "no",
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def differences(saved: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """What is not as it was, a sentence each; nothing when equal bits can be promised."""
    found = []
    for name, called in _MATTERS.items():
        if name not in saved:
            found.append(f"the {called} it was trained with before is not recorded")
        elif saved[name] != here[name]:
            found.append(_sentence(called, saved[name], here[name]))
    return found


def _sentence(called: str, saved: Any, here: Any) -> str:
    if called == _MATTERS["processor_flags"]:
        before, now = set(str(saved).split()), set(str(here).split())
        lost, gained = sorted(before - now), sorted(now - before)
        return f"the {called} differ: " + "; ".join(
            f"{word} {', '.join(flags[:4])}"
            for word, flags in (("without", lost), ("with", gained))
            if flags
        )
    return f"{called}: {saved if saved is not None else 'none'} before, {here or 'none'} now"


@cache
def _processor() -> dict[str, str]:
    """Of the first core, as Linux tells it; empty elsewhere."""
    try:
        text = _CPUINFO.read_text()
    except OSError:
        return {}
    lines = text.split("\n\n", 1)[0].splitlines()
    pairs = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs}
