"""What the worker takes of its machine, and what others do."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

# A container may use less than its machine has; "max" stands for all of it.
_CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True)
class GpuMemory:
    """In bytes. Reserved is what torch took from the device, allocated what tensors use of it."""

    allocated: int
    reserved: int
    total: int


def memory_total_bytes() -> int:
    """What this process and its neighbours have to share."""
    machine = int(psutil.virtual_memory().total)
    try:
        limit = _CONTAINER_LIMIT.read_text().strip()
    except OSError:
        return machine
    return min(machine, int(limit)) if limit.isdigit() else machine


class Others:
    """How much of the cores that this process may use was used by others, since it was made."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._began_secs = time.monotonic()
        self._before_secs = self._used_secs()

    def cores(self) -> float:
        """As many as they kept busy, on average."""
        used_secs = self._used_secs() - self._before_secs
        return max(0.0, used_secs / (time.monotonic() - self._began_secs))

    def _used_secs(self) -> float:
        """Of the cores; what another machine took of them (steal) counts, what waits does not."""
        each = psutil.cpu_times(percpu=True)
        busy_secs = sum(_busy_secs(each[core]) for core in self._process.cpu_affinity() or [])
        own = self._process.cpu_times()
        return busy_secs - own.user - own.system


def _busy_secs(core: Any) -> float:
    names = ("user", "nice", "system", "irq", "softirq", "steal")
    return sum(float(getattr(core, name, 0.0)) for name in names)


def gpu_memory(device: torch.device) -> GpuMemory | None:
    """None without a GPU."""
    if device.type != "cuda":
        return None
    return GpuMemory(
        allocated=torch.cuda.memory_allocated(device),
        reserved=torch.cuda.memory_reserved(device),
        total=torch.cuda.get_device_properties(device).total_memory,
    )
