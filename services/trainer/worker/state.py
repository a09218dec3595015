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
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from google.protobuf import json_format
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from lab.errors import Damaged, PreconditionFailed
from lab.manifest import sync_folder
from lab.model import load_hf_state, save_model
from lab.model.hf import CONFIG_FILE, WEIGHTS_FILE
from lab.spec import overlay
from lab.v1.run_pb2 import LiveSettings
from services.trainer.worker.training import Training

OPTIMIZER_FILE = "optim.safetensors"
STATE_FILE = "state.json"
RUN_FILE = "run.json"
ENVIRONMENT_FILE = "environment.json"
FORMAT = 1

PEEK_FILES = (WEIGHTS_FILE, CONFIG_FILE, RUN_FILE)


def write_peek(training: Training, folder: Path) -> None:
    """The weights and what is needed to use them."""
    save_model(training.model, folder)
    spec = json_format.MessageToDict(training.spec, preserving_proto_field_name=True)
    _write_json(folder / RUN_FILE, {"run": training.run, "step": training.step, "spec": spec})
    _sync(folder)


def write_checkpoint(training: Training, folder: Path) -> None:
    """Everything; on disk when this returns."""
    save_file(_optimizer_tensors(training), folder / OPTIMIZER_FILE)
    _write_json(folder / STATE_FILE, _state(training))
    _write_json(folder / ENVIRONMENT_FILE, _environment(training))
    write_peek(training, folder)


@torch.no_grad()
def read_checkpoint(training: Training, folder: Path) -> None:
    """Puts a freshly built training where the checkpoint was taken.

    Raises Damaged when the folder cannot be read, PreconditionFailed when it belongs to other data
    or another shape.
    """
    try:
        state: dict[str, Any] = json.loads((folder / STATE_FILE).read_text())
        weights = load_file(folder / WEIGHTS_FILE)
        moments = load_file(folder / OPTIMIZER_FILE)
    except (OSError, ValueError, SafetensorError) as error:
        raise Damaged(f"the checkpoint {folder.name} cannot be read: {_cause(error)}") from error
    if state.get("format") != FORMAT:
        raise Damaged(f"the checkpoint {folder.name} has a format this version does not know")
    _check_position(training, state)
    try:
        load_hf_state(training.model, weights)
        _load_optimizer(training, moments)
    except (KeyError, ValueError, RuntimeError) as error:
        raise Damaged(f"the checkpoint {folder.name} does not fit its run: {error}") from error
    training.step = int(state["step"])
    training.loss = state["loss"]
    training.validation_loss = state["validation_loss"]
    training.clock.set(float(state["elapsed_secs"]))
    # As it was at that step, and over it what was asked for since.
    live = json_format.ParseDict(state.get("live", {}), LiveSettings())
    overlay(live, training.live)
    training.live = live


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
        "elapsed_secs": training.clock.secs,
        "data": asdict(training.batches.position(training.step)),
        "live": json_format.MessageToDict(training.live, preserving_proto_field_name=True),
    }


def _check_position(training: Training, state: Mapping[str, Any]) -> None:
    """The order of the data is a function of these; other values would read other text."""
    here = asdict(training.batches.position(int(state["step"])))
    for name, value in here.items():
        if (saved := state["data"].get(name)) != value:
            raise PreconditionFailed(
                f"cannot resume: the checkpoint was made with data {name} {saved}, "
                f"this run has {value}; start a new run instead"
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


def _environment(training: Training) -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "machine": platform.machine(),
        "processor_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "dtype": str(training.dtype).removeprefix("torch."),
        "head_chunk_tokens": training.room.chunk_tokens,
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2) + "\n")


def _sync(folder: Path) -> None:
    for path in folder.iterdir():
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    sync_folder(folder)
