"""The command that the modules beside this one add theirs to, and what they share."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.cli.output import answers
from lab.run_state import state_word
from lab.v1.run_pb2 import Run, RunState

app = typer.Typer(help="Start, steer and follow runs of a running cluster.", no_args_is_help=True)

RunName = Annotated[str, typer.Argument(metavar="RUN", help="Name of the run.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print ProtoJSON, as the REST interface.")]


def fail_if_failed(run: Run | None) -> None:
    if run and run.state in (RunState.RUN_STATE_FAILED, RunState.RUN_STATE_INTERRUPTED):
        raise typer.Exit(1)


def tell(run: Run) -> None:
    answers.print(f"{run.name} {state_of(run)} at step {run.stats.step:,}")


def run_id(run: Run) -> str:
    return run.name.removeprefix("runs/")


def state_of(run: Run) -> str:
    return state_word(run.state).lower()
