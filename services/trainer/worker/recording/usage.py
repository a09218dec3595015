"""What the worker takes of its machine."""

from dataclasses import dataclass
from pathlib import Path

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


def gpu_memory(device: torch.device) -> GpuMemory | None:
    """None without a GPU."""
    if device.type != "cuda":
        return None
    return GpuMemory(
        allocated=torch.cuda.memory_allocated(device),
        reserved=torch.cuda.memory_reserved(device),
        total=torch.cuda.get_device_properties(device).total_memory,
    )
