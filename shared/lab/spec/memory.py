"""How much memory the training worker of a spec will need, from its shape alone.

A formula with few terms, so that one can see what a change would save; the constants were fitted
to measured peaks (tests/benchmarks/test_preflight.py holds them to 10 %).
"""

from functools import cache
from pathlib import Path

from lab.spec.chunks import CHUNK_TOKENS
from lab.spec.parameters import count_parameters
from lab.v1 import run_spec_pb2
from lab.v1.preflight_pb2 import MemoryPart
from lab.v1.run_spec_pb2 import RunSpec

PROCESS_BYTES = 370 << 20  # Python, torch and its libraries, before any model
FP32_BYTES, BF16_BYTES = 4, 2
MOMENTS = 2  # AdamW's, for each parameter
# Numbers kept for the backward pass per token, layer and channel: the known 34 bytes of an all-bf16
# block (Korthikanti et al., arXiv 2205.05198) are 17 numbers; fp32 keeps some of them twice.
KEPT_FP32, KEPT_BF16 = 21, 24
# The block in hand: the gradients of what was kept, and the holes that the allocator leaves.
WORKING_BLOCKS = 2


def memory_parts(spec: RunSpec) -> list[MemoryPart]:
    """What the peak is made of, largest first."""
    model, parameters = spec.model, count_parameters(spec.model)
    processes = max(1, spec.budget.processes)
    # Each process holds everything, and has at most its part of the batch at once.
    part = -(-spec.budget.batch // processes)
    tokens = min(spec.budget.micro_batch, part) * model.context
    bf16 = spec.budget.precision == run_spec_pb2.PRECISION_BF16 or (
        spec.budget.precision != run_spec_pb2.PRECISION_FP32 and _auto_is_bf16()
    )
    number = BF16_BYTES if bf16 else FP32_BYTES
    kept = (KEPT_BF16 if bf16 else KEPT_FP32) * number
    sizes = {
        "Python and torch": PROCESS_BYTES,
        "weights": parameters * FP32_BYTES,
        "gradients": parameters * FP32_BYTES,
        "AdamW's moments": parameters * MOMENTS * FP32_BYTES,
        "activations": _activations(spec, tokens, number=number, kept=kept),
        "logits": min(tokens, CHUNK_TOKENS) * model.vocab_size * number,
    }
    if bf16:
        sizes["bf16 copy of the head"] = model.vocab_size * model.width * BF16_BYTES
    parts = [MemoryPart(name=name, bytes=processes * size) for name, size in sizes.items()]
    return sorted(parts, key=lambda part: -part.bytes)


def _activations(spec: RunSpec, tokens: int, *, number: int, kept: int) -> int:
    """What the backward pass needs of all blocks, or only their inputs and the rest of one."""
    layers, of_one_block = spec.model.layers, tokens * spec.model.width * kept
    if spec.budget.activation_checkpointing:
        inputs = tokens * spec.model.width * layers * number
        return inputs + (1 + WORKING_BLOCKS) * of_one_block
    return (layers + WORKING_BLOCKS) * of_one_block


@cache
def _auto_is_bf16() -> bool:
    """Whether this processor multiplies bf16 by itself. The worker measures what auto comes to; it
    mostly is this, and an estimate must not wait for a process that imports torch."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return False
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    return "avx512_bf16" in flags or "amx_bf16" in flags
