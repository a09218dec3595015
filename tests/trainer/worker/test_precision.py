"""The number format is settled once, by what the processor can do and by a short measurement."""

import pytest
import torch

from lab.errors import InvalidArgument
from lab.v1.run_spec_pb2 import PRECISION_AUTO, PRECISION_BF16, PRECISION_FP32
from lab.v1.worker_pb2 import StartTraining
from services.trainer.worker import precision
from services.trainer.worker.precision import bf16_is_faster, multiplies_bf16, settle
from services.trainer.worker.training import build

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("able", "faster", "settled"),
    [(True, True, PRECISION_BF16), (True, False, PRECISION_FP32), (False, True, PRECISION_FP32)],
)
def test_auto_is_bf16_where_that_is_faster(
    monkeypatch: pytest.MonkeyPatch, able: bool, faster: bool, settled: int
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: able)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    monkeypatch.setattr(precision, "bf16_is_faster", lambda device: faster)
    assert settle(PRECISION_AUTO, CPU) == settled
    assert settle(PRECISION_FP32, CPU) == PRECISION_FP32


def test_bf16_where_it_is_only_imitated_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    with pytest.raises(InvalidArgument, match="slower than fp32; set it to auto"):
        settle(PRECISION_BF16, CPU)


def test_the_measurement_agrees_with_this_processor() -> None:
    if torch.cpu._is_amx_tile_supported():
        assert bf16_is_faster(CPU)  # by a factor of four and more
    elif not multiplies_bf16(CPU):
        assert not bf16_is_faster(CPU)


def test_a_run_keeps_what_was_settled(start: StartTraining) -> None:
    start.spec.budget.precision = PRECISION_AUTO
    training = build(start)
    assert training.spec.budget.precision in (PRECISION_FP32, PRECISION_BF16)
    assert training.room.rows.dtype == training.dtype
