"""Compiling the blocks with torch.compile: settled once, when a run begins, and kept with the run.

The compiler fuses what stands between the matrix products (norms, GELU, additions), so that numbers
go through memory less often. It takes seconds to minutes before the first step, needs a C++
compiler or a GPU's, and does not always win: hence a measurement, and never a need.
"""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lab.errors import InvalidArgument
from lab.model import GPTConfig, TransformerBlock
from lab.v1 import run_spec_pb2
from lab.v1.run_spec_pb2 import Compile, RunSpec
from services.trainer.worker.precision import DTYPES

BACKEND = "inductor"
PROBE_SECS = 1.0
ADVANTAGE = 1.05  # it must be worth the waiting, and a dependency on a compiler

Block = Callable[..., Any]


def settle_compile(spec: RunSpec, device: torch.device) -> "Compile.ValueType":
    """OFF or ON; raises InvalidArgument when ON is asked for where nothing can be compiled."""
    wanted = spec.budget.compile
    if wanted not in (run_spec_pb2.COMPILE_ON, run_spec_pb2.COMPILE_AUTO):
        return run_spec_pb2.COMPILE_OFF
    try:
        faster = is_faster(spec, device)
    except Exception as error:  # whatever a compiler that is not there, or is too old, says
        if wanted == run_spec_pb2.COMPILE_ON:
            raise InvalidArgument.field(
                "budget.compile",
                f"is on, but torch cannot compile here ({type(error).__name__}); set it to off, "
                "or install a C++ compiler",
            ) from error
        return run_spec_pb2.COMPILE_OFF
    if wanted == run_spec_pb2.COMPILE_ON or faster:
        return run_spec_pb2.COMPILE_ON
    return run_spec_pb2.COMPILE_OFF


def compiled(block: torch.nn.Module) -> Block:
    """For one shape: a batch that is cut unevenly compiles once more for its last piece."""
    made: Block = torch.compile(block, dynamic=False, backend=BACKEND)
    return made


def is_faster(spec: RunSpec, device: torch.device) -> bool:
    """One block forward and backward, as written and compiled, in turns; the best times count."""
    block = TransformerBlock(GPTConfig.from_spec(spec.model)).to(device)
    part = -(-spec.budget.batch // max(1, spec.budget.processes))
    shape = (min(spec.budget.micro_batch, part), spec.model.context, spec.model.width)
    x = torch.randn(shape, device=device, dtype=DTYPES[spec.budget.precision], requires_grad=True)
    ways: list[Block] = [block, compiled(block)]
    times = [[_secs(way, x) for _ in range(2)][1:] for way in ways]  # the first one compiles
    began = time.perf_counter()
    while time.perf_counter() - began < PROBE_SECS:
        for way, secs in zip(ways, times, strict=True):
            secs.append(_secs(way, x))
    return min(times[0]) > ADVANTAGE * min(times[1])


def _secs(block: Block, x: Tensor) -> float:
    began = time.perf_counter()
    block(x).sum().backward()
    if x.device.type == "cuda":
        torch.cuda.synchronize(x.device)
    return time.perf_counter() - began
