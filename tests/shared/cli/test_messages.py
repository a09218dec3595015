"""Exit codes and messages when no cluster runs: 1 for what is not there, 2 for bad input."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.shared.cli.conftest import Lab

pytestmark = pytest.mark.integration


def test_status_without_a_cluster_is_1_with_a_hint_and_names_every_process(lab: Lab) -> None:
    done = lab("status")
    assert done.returncode == 1
    for name in ("nats", "checkpoint", "trainer", "inference", "gateway"):
        assert f"\n{name} " in done.stdout
    assert done.stdout.count("nothing answers at 127.0.0.1:") == 5
    assert "make up" in done.stderr


def test_waiting_for_a_cluster_ends_at_its_timeout(lab: Lab) -> None:
    assert lab("status", "--wait", "--timeout", "0.3").returncode == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("runs", "list"),
        ("runs", "show", "nano-a"),
        ("runs", "pause", "nano-a"),
        ("runs", "start", "--config", "nano"),
        ("checkpoints", "list"),
        ("generate", "nano-a", "--prompt", "Once"),
        ("attention", "nano-a@50", "--text", "Once"),
    ],
    ids=" ".join,
)
def test_a_service_that_is_not_there_is_1_and_one_line(lab: Lab, arguments: list[str]) -> None:
    done = lab(*arguments)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("lab: ")
    assert "does not answer" in line
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("frobnicate",), "frobnicate"),
        (("runs", "list", "--frobnicate"), "--frobnicate"),
        (("runs", "show"), "RUN"),
        (("runs", "step", "nano-a", "0"), "steps"),
        (("runs", "step", "nano-a", "10001"), "steps"),
        (("runs", "show", "../etc"), "63 characters"),
        (("runs", "start", "--config", "nano", "--steps", "-1"), "budget.steps"),
        (("runs", "start", "--config", "nano", "--steps", "many"), "--steps"),
        (("runs", "start", "--config", "nano", "--save-every", "-1"), "hooks.checkpoint_every"),
        (("runs", "start", "--config", "nano", "--set", "model.layer=2"), "model.layer"),
        (("runs", "start", "--config", "nano", "--yaml", "/nowhere/spec.yaml"), "spec.yaml"),
        (("checkpoints", "show", "nano-a"), "RUN@STEP"),
        (("generate", "nano-a", "--prompt", "x", "--max-tokens", "513"), "--max-tokens"),
        (("attention", "nano-a", "--text", "x", "--layer", "-1"), "--layer"),
        (("corpora", "show", "verdikt"), "did you mean verdict"),
        (("assets", "fetch", "gpt2"), "gpt2"),
        (("assets", "add", "gpt2-encoder", "/nowhere"), "file"),
        (("logs", "frobnicator"), "trainer"),
        (("train", "--config", "nanoo", "--corpus", "verdict"), "did you mean nano"),
        (("train", "--config", "mine.yaml"), "by --yaml mine.yaml"),
        (("train",), "as in --config nano"),
        (("runs", "start"), "as in --config nano"),
        (("corpora", "add", "My Novel", "/x.txt"), "my-novel would do, with --title"),
        (("corpora", "add", "nul", "/x.txt"), "name of a device"),
        (("corpora", "add", "../up", "/x.txt"), "up would do"),
        (("corpora", "add", "mine", "/nowhere.txt"), "cannot be read"),
        (("corpora", "add", "mine", "/dev/null"), "is a device"),
        (("corpora", "remove", "verdict"), "comes with the lab"),
    ],
)
def test_bad_input_is_2_and_one_line_that_names_it(
    lab: Lab, arguments: list[str], says: str
) -> None:
    done = lab(*arguments)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("lab: ")
    assert says in line


def test_an_asset_of_another_content_is_refused_with_both_hashes(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "encoder.json").write_text("{}")
    done = lab("assets", "add", "gpt2-encoder", str(tmp_path / "encoder.json"))
    assert done.returncode == 2
    assert "encoder.json" in done.stderr


def test_down_when_nothing_runs_is_fine(lab: Lab) -> None:
    done = lab("down")
    assert (done.returncode, done.stdout) == (0, "no cluster was running\n")


def test_ps_and_logs_without_a_cluster_are_1_and_say_what_to_do(lab: Lab) -> None:
    for arguments in (["ps"], ["logs"]):
        done = lab(*arguments)
        assert done.returncode == 1
        assert "lab up" in done.stderr


def test_a_no_to_a_question_is_1_and_nothing_is_asked_of_anyone(lab: Lab) -> None:
    done = lab("runs", "delete", "nano-a", answer="n\n")
    assert done.returncode == 1
    assert "does not answer" not in done.stderr


def test_without_a_command_the_help_is_shown(lab: Lab) -> None:
    done = lab()
    assert done.returncode == 2
    for command in ("train", "runs", "generate", "attention", "status", "up"):
        assert f"  {command} " in done.stderr


def test_every_command_has_help(lab: Lab) -> None:
    for command in ("train", "runs start", "generate", "attention", "checkpoints", "status", "up"):
        done = lab(*command.split(), "--help")
        assert done.returncode == 0
        assert "Usage: lab " + command in done.stdout


def test_output_survives_a_terminal_that_knows_only_ascii(lab: Lab) -> None:
    done = lab("corpora", "list", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert done.returncode == 0
    assert "tiny-shakespeare" in done.stdout


@pytest.mark.parametrize(
    ("name", "value"), [("LAB_TRAINER__PORT", "http"), ("LAB_ALL__NATS_URL", "nowhere")]
)
def test_a_bad_address_in_the_environment_is_2_and_named(lab: Lab, name: str, value: str) -> None:
    done = lab("status", **{name: value})
    assert done.returncode == 2
    assert name.rpartition("__")[2].lower() in done.stderr
