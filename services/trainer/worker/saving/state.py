"""All that a resume needs, to a folder and back. What is not in here may not matter to training.

| file                | holds                                                                     |
|---------------------|---------------------------------------------------------------------------|
| model.safetensors   | the weights, names and layout of Hugging Face's GPT-2                     |
| optim.safetensors   | AdamW's two moments per parameter, and its step count                     |
| state.json          | steps made, losses, seconds trained, position in the data, live settings  |
| config.json         | the shape, as transformers' GPT2Config                                    |
| run.json            | the run's name and its resolved spec                                      |
| environment.json    | what it ran on: equal bits are promised only where these are equal        |

No random generator is saved because none lives longer than a step (see randomness). The learning
rate is not saved because it is a function of the step and of the live settings.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from google.protobuf import json_format
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from lab.errors import Damaged, PreconditionFailed
from lab.manifest import CONFIG, WEIGHTS, sync_folder
from lab.model import load_hf_state
from lab.model.hf import from_hf_layout, hf_config
from lab.spec import overlay
from lab.v1.checkpoint_pb2 import CheckpointFile
from lab.v1.run_pb2 import LiveSettings
from services.trainer.worker.saving.environment import differences, environment
from services.trainer.worker.saving.tensor_file import write_file, write_tensors
from services.trainer.worker.training import Origin, Training

OPTIMIZER_FILE = "optim.safetensors"
STATE_FILE = "state.json"
RUN_FILE = "run.json"
ENVIRONMENT_FILE = "environment.json"
FORMAT = 1


@dataclass(frozen=True)
class Content:
    """What one save holds. The tensors may be the live ones: then it has to be written before the
    next step is made."""

    weights: Mapping[str, Tensor]
    moments: Mapping[str, Tensor]  # none in a peek
    documents: Mapping[str, Mapping[str, Any]]  # by file name


def content(training: Training, *, full: bool) -> Content:
    """The run as it is between two steps: everything, or only what a look inside needs."""
    spec = json_format.MessageToDict(training.spec, preserving_proto_field_name=True)
    documents: dict[str, Mapping[str, Any]] = {
        RUN_FILE: {"run": training.run, "step": training.step, "spec": spec},
        CONFIG: hf_config(training.model.config),
    }
    if full:
        documents[STATE_FILE] = _state(training)
        documents[ENVIRONMENT_FILE] = environment(training)
    return Content(
        weights={name: value.detach() for name, value in training.model.named_parameters()},
        moments=_optimizer_tensors(training) if full else {},
        documents=documents,
    )


def write(
    saved: Content, folder: Path, *, rest: Callable[[], None] = lambda: None
) -> list[CheckpointFile]:
    """Into an empty folder; on disk when this returns. `rest` is called after each piece of work.
    Answers every file with its SHA-256."""
    files = []
    if saved.moments:
        files.append(write_tensors(folder / OPTIMIZER_FILE, saved.moments, rest=rest))
    # The way from Hugging Face's layout is the way there: a view, turned while it is written.
    weights = {name: from_hf_layout(name, value) for name, value in saved.weights.items()}
    files.append(write_tensors(folder / WEIGHTS, weights, metadata={"format": "pt"}, rest=rest))
    for name, values in saved.documents.items():
        text = json.dumps(values, indent=2) + "\n"
        files.append(write_file(folder / name, iter([memoryview(text.encode())])))
    sync_folder(folder)
    return files


@torch.no_grad()
def read_checkpoint(training: Training, folder: Path, *, fork: bool = False) -> None:
    """Puts a freshly built training where the checkpoint was taken, and notes in it what is not as
    it was then.

    A fork is another run that goes on from there: its data, its batch and its rates may differ.
    Raises Damaged when the folder cannot be read, PreconditionFailed when it belongs to other data
    or another shape.
    """
    try:
        state: dict[str, Any] = json.loads((folder / STATE_FILE).read_text())
        there: dict[str, Any] = json.loads((folder / ENVIRONMENT_FILE).read_text())
        weights = load_file(folder / WEIGHTS)
        moments = load_file(folder / OPTIMIZER_FILE)
    except (OSError, ValueError, SafetensorError) as error:
        raise Damaged(f"the checkpoint {folder.name} cannot be read: {_cause(error)}") from error
    if state.get("format") != FORMAT:
        raise Damaged(f"the checkpoint {folder.name} has a format this version does not know")
    if fork:
        training.begin_at(_fork_origin(training, state))
    else:
        training.begin_at(Origin(**state.get("origin", {})))
        _check_position(training, state)
    try:
        load_hf_state(training.model, weights)
        _load_optimizer(training, moments)
    except (KeyError, ValueError, RuntimeError) as error:
        raise Damaged(f"the checkpoint {folder.name} does not fit its run: {error}") from error
    training.step = int(state["step"])
    training.loss = state["loss"]
    training.validation_loss = state["validation_loss"]
    training.best_validation_loss = state.get("best_validation_loss")
    training.clock.set(float(state["elapsed_secs"]))
    training.windows.restore(state.get("windows", {}))
    # As it was at that step, and over it what was asked for since.
    live = json_format.ParseDict(state.get("live", {}), LiveSettings())
    overlay(live, training.live)
    training.live = live
    training.inexact_reasons = differences(there, environment(training))


def _cause(error: Exception) -> str:
    """Without the path, which is nobody's business outside this machine."""
    if isinstance(error, FileNotFoundError):
        return "a file is missing"
    return (error.strerror or "input error") if isinstance(error, OSError) else str(error)


def _state(training: Training) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "step": training.step,
        "tokens": training.tokens,
        "loss": training.loss,
        "validation_loss": training.validation_loss,
        "best_validation_loss": training.best_validation_loss,
        "elapsed_secs": training.clock.secs,
        "origin": asdict(training.origin),
        "data": asdict(training.batches.position(training.step)),
        "live": json_format.MessageToDict(training.live, preserving_proto_field_name=True),
        "windows": training.windows.state(),
    }


def _check_position(training: Training, state: Mapping[str, Any]) -> None:
    """The order of the data is a function of these; other values would read other text."""
    here = asdict(training.batches.position(int(state["step"])))
    for name, value in here.items():
        if (saved := state["data"].get(name)) != value:
            raise PreconditionFailed(
                f"cannot resume: the checkpoint was made with data {name} {saved}, this run has "
                f"{value}; fork the checkpoint to go on with other data"
            )


def _fork_origin(training: Training, state: Mapping[str, Any]) -> Origin:
    """In the same row of sequences it reads on where its parent was, in another from the start."""
    step, saved = int(state["step"]), state["data"]
    here = training.batches.position(0)
    row = (here.fingerprint, here.seed, here.context)
    same = row == (saved.get("fingerprint"), saved.get("seed"), saved.get("context"))
    return Origin(
        step=step, tokens=int(state["tokens"]), sequence=int(saved["sequence"]) if same else 0
    )


def _optimizer_tensors(training: Training) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for name, parameter in training.model.named_parameters():
        state = training.optimizer.state[parameter]
        tensors[f"exp_avg.{name}"] = state["exp_avg"]
        tensors[f"exp_avg_sq.{name}"] = state["exp_avg_sq"]
        tensors["step"] = state["step"]  # the same for all
    return tensors


def _load_optimizer(training: Training, tensors: Mapping[str, Tensor]) -> None:
    for name, parameter in training.model.named_parameters():
        state = training.optimizer.state[parameter]
        state["exp_avg"].copy_(tensors[f"exp_avg.{name}"])
        state["exp_avg_sq"].copy_(tensors[f"exp_avg_sq.{name}"])
        state["step"].copy_(tensors["step"])
