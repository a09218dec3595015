"""`lab train` as people run it: a process with a terminal or without, and its exit code."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from lab import folders, manifest
from lab.model import load_pretrained
from lab.text import Assets
from tests.support.processes import all_end

pytestmark = pytest.mark.integration

Lab = Callable[..., "subprocess.Popen[str]"]
PATIENCE_SECS = 90

TINY = """
model: {layers: 2, width: 32, heads: 2, context: 32}
data: {corpus: tiny-shakespeare}
budget: {batch: 4, threads: 1, steps: 12}
hooks: {evaluate_every: 6, sample_every: 6, sample_tokens: 4}
"""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Starts `lab train` with a tiny model, in a lab of its own."""
    for asset in ("gpt2-encoder", "tiny-shakespeare"):
        Assets.at_home().fetch(asset)
    spec = tmp_path / "tiny.yaml"
    spec.write_text(TINY)
    monkeypatch.setenv("LAB_ASSET_MIRROR", str(folders.home() / "assets"))
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))

    def run(*options: str) -> "subprocess.Popen[str]":
        program = "from lab.cli.app import main; main()"
        return subprocess.Popen(
            [sys.executable, "-c", program, "train", "--yaml", str(spec), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return run


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE_SECS)
    return process.returncode, out, err


def test_it_trains_and_tells(lab: Lab, tmp_path: Path) -> None:
    code, out, err = ended(lab("--config", "nano", "--lr", "0.01"))
    assert (code, err) == (0, "")
    assert "step 0: ROMEO:" in out
    last = out.strip().splitlines()[-1]
    told = re.fullmatch(
        r"12 of 12 steps, loss ([\d.]+) → ([\d.]+), validation [\d.]+, [\d.]+ s", last
    )
    assert told, last
    assert float(told[2]) < float(told[1]) - 0.5
    assert not (tmp_path / "home" / "trained").exists()
    assert os.listdir(tmp_path / "home" / "train") == []


def test_it_saves_where_it_is_told(lab: Lab, tmp_path: Path) -> None:
    out = tmp_path / "kept"
    code, said, _ = ended(lab("--config", "nano", "--out", str(out), "--set", "budget.steps=2"))
    assert code == 0
    assert f"saved step 2 in {out}" in said
    checkpoint = manifest.read(out)
    assert manifest.damage(out, checkpoint) == []
    assert (checkpoint.step, checkpoint.preset) == (2, "nano")
    assert load_pretrained(out).config.width == 32
    again, _, err = ended(lab("--config", "nano", "--out", str(out)))
    assert again == 2
    assert "is there already" in err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--config", "nanoo"], "did you mean nano?"),
        (["--config", "nano", "--batch", "0"], "budget.batch: must be at least 1"),
        (["--config", "nano", "--corpus", "x"], "known are tiny-shakespeare, verdict"),
        (["--config", "nano", "--set", "model.heads=5"], "must divide width 32"),
        (["--config", "nano", "--set", "model.layer=5"], "did you mean layers?"),
        (["--config", "nano", "--epochs", "1"], "give steps or epochs, not both"),
        (["--config", "nano", "--yaml", "/nowhere.yaml"], "No such file"),
    ],
)
def test_bad_input_is_one_clear_line(lab: Lab, options: list[str], said: str) -> None:
    code, out, err = ended(lab(*options))
    assert code == 2
    assert said in err
    assert out == ""
    assert len(err.strip().splitlines()) == 1


def test_a_run_that_diverges_fails_with_advice(lab: Lab) -> None:
    code, _, err = ended(
        lab(
            *("--config", "nano", "--lr", "10", "--steps", "300"),
            *("--set", "optimizer.weight_decay=10", "--set", "optimizer.clip=0"),
            *("--set", "schedule.warmup_steps=0"),
        )
    )
    assert code == 1
    assert "lower learning rate" in err
    assert "Traceback" not in err


def test_ctrl_c_ends_after_the_step(lab: Lab) -> None:
    process = lab("--config", "nano", "--steps", "1000000")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("step 1/"):
            break
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
    code, out, err = ended(process)
    assert code == 130
    assert re.search(r"\d+ of 1,000,000 steps, loss", out)
    assert err == ""


def test_a_worker_that_is_killed_is_told(lab: Lab) -> None:
    process = lab("--config", "nano", "--steps", "1000000")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("step 1/"):
            break
    psutil.Process(process.pid).children()[0].kill()
    code, _, err = ended(process)
    assert code == 1
    assert "the worker died (killed by SIGKILL)" in err


def lines_until(process: "subprocess.Popen[str]", pattern: str) -> re.Match[str]:
    """The first line that matches; fails when the process ends before."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(pattern, line):
            return found
    raise AssertionError(f"it ended without {pattern}")


def test_a_training_that_loses_a_process_goes_on_from_its_checkpoint(
    lab: Lab, tmp_path: Path
) -> None:
    out = tmp_path / "kept"
    process = lab(
        *("--config", "nano", "--steps", "1000000", "--out", str(out)),
        *("--processes", "2", "--save-every", "4", "--set", "hooks.sample_every=0"),
    )
    lines_until(process, "saved step")
    family = psutil.Process(process.pid).children(recursive=True)
    second = next(one for one in family if one.environ().get("RANK") == "1")
    second.kill()
    step = int(lines_until(process, r"the worker died .*; going on from step (\d+)")[1])
    assert all_end(family)
    assert step % 4 == 0
    assert int(lines_until(process, r"saved step (\d+)")[1]) > step
    os.killpg(process.pid, signal.SIGINT)
    code, _, err = ended(process)
    assert (code, err) == (130, "")
    checkpoint = manifest.read(out)
    assert manifest.damage(out, checkpoint) == []
    assert checkpoint.step > step
    assert [path.name for path in tmp_path.iterdir() if "kept" in path.name] == ["kept"]


def test_a_dry_run_tells_what_it_would_take_and_trains_nothing(lab: Lab, tmp_path: Path) -> None:
    too_many = f"budget.threads={(os.cpu_count() or 1) + 1}"
    code, out, err = ended(lab("--config", "nano", "--dry-run", "--set", too_many))
    assert (code, err) == (0, "")
    assert re.search(r"step +[\d.e-]+ s, measured", out)
    assert "12, " in out
    assert "  try: --set budget.threads=0" in out
    assert sorted(os.listdir(tmp_path / "home")) == ["assets", "timings"]  # no corpus was prepared
    code, out, err = ended(lab("--config", "nano", "--dry-run", "--json"))
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["steps"], told["tokensPerStep"]) == (12, "128")
    assert told["timing"] == "TIMING_SOURCE_MEASURED"
    assert told["durationSecs"] > 12 * told["stepSecs"]
