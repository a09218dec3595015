"""The command that the modules beside this one add theirs to, and what they share."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="Saved states: look, keep, delete, take along.", no_args_is_help=True)

Name = Annotated[
    str, typer.Argument(metavar="CHECKPOINT", help="RUN@STEP, imports/NAME, or its full name.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print ProtoJSON, as the REST interface.")]
