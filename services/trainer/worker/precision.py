"""In which number format to multiply: settled once, when a run begins, and kept with the run."""

import time
from collections.abc import Callable

import torch

from lab.errors import InvalidArgument
from lab.v1 import run_spec_pb2
from lab.v1.run_spec_pb2 import Precision

PROBE_SECS = 0.05
PROBE_TOKENS, PROBE_WIDTH = 512, 512
ADVANTAGE = 1.25  # bf16 rounds, so it must be worth it

DTYPES = {
    run_spec_pb2.PRECISION_FP32: torch.float32,
    run_spec_pb2.PRECISION_BF16: torch.bfloat16,
}


def settle(wanted: "Precision.ValueType", device: torch.device) -> "Precision.ValueType":
    """FP32 or BF16; raises InvalidArgument when bf16 is asked for where it would only be slower."""
    if wanted == run_spec_pb2.PRECISION_FP32:
        return wanted
    able = multiplies_bf16(device)
    if wanted == run_spec_pb2.PRECISION_BF16 and not able:
        raise InvalidArgument.field(
            "budget.precision",
            "is bf16, which this processor can only imitate, slower than fp32; set it to auto",
        )
    if wanted == run_spec_pb2.PRECISION_AUTO and not (able and bf16_is_faster(device)):
        return run_spec_pb2.PRECISION_FP32
    return run_spec_pb2.PRECISION_BF16


def multiplies_bf16(device: torch.device) -> bool:
    """Whether the device has instructions for it. Without them bf16 is many times slower."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def bf16_is_faster(device: torch.device) -> bool:
    """One product in both formats, in turns, for a twentieth of a second; the best times count."""
    times = {dtype: [_secs(_product(dtype, device))] for dtype in DTYPES.values()}
    products = {dtype: _product(dtype, device) for dtype in times}
    began = time.perf_counter()
    while time.perf_counter() - began < PROBE_SECS:
        for dtype, product in products.items():
            times[dtype].append(_secs(product))
    return min(times[torch.float32]) > ADVANTAGE * min(times[torch.bfloat16])


def _product(dtype: torch.dtype, device: torch.device) -> Callable[[], None]:
    left = torch.ones(PROBE_TOKENS, PROBE_WIDTH, dtype=dtype, device=device)
    right = torch.ones(4 * PROBE_WIDTH, PROBE_WIDTH, dtype=dtype, device=device)
    out = torch.empty(PROBE_TOKENS, 4 * PROBE_WIDTH, dtype=dtype, device=device)

    def multiply() -> None:
        torch.mm(left, right.t(), out=out)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return multiply


def _secs(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
