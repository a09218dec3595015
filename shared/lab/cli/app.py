"""The `lab` command: what it offers, and the one place where errors become exit codes."""

from __future__ import annotations

import io
import sys
from typing import Any

import typer

from lab.cli import assets, checkpoints, corpora, generate, presets, runs
from lab.cli.cluster import command as cluster
from lab.cli.cluster import status
from lab.cli.inside import attention, models, texts
from lab.cli.output import errors
from lab.cli.train.command import train
from lab.errors import Code, LabError

EXIT_FAILURE = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130

# What the user wrote can never be right, or names what is not there.
_BAD_INPUT = frozenset(
    (Code.INVALID_ARGUMENT, Code.OUT_OF_RANGE, Code.NOT_FOUND, Code.ALREADY_EXISTS)
)

# typer brings its own click; its error for "the command line is wrong" has no public name.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]

app = typer.Typer(
    name="lab",
    help="Train GPT-2 style models from scratch, watch them learn, look inside.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("train")(train)
app.add_typer(runs.app, name="runs")
app.command("generate")(generate.generate)
app.command("tokens")(texts.tokens)
app.command("attention")(attention.attention)
app.command("heads")(models.heads)
app.command("lens")(texts.lens)
app.command("activations")(texts.activations)
app.command("votes")(texts.votes)
app.command("maxima")(texts.maxima)
app.command("embedding")(models.embedding)
app.command("neighbours")(models.neighbours)
app.command("weights")(models.weights)
app.command("presets")(presets.presets)
app.add_typer(corpora.app, name="corpora")
app.add_typer(assets.app, name="assets")
app.add_typer(checkpoints.app, name="checkpoints")
app.command("status")(status.status)
app.command("up")(cluster.up)
app.command("down")(cluster.down)
app.command("ps")(cluster.ps)
app.command("logs")(cluster.logs)


def main() -> None:
    """Ends the interpreter: 0 done, 1 failed, 2 bad input, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show a sign shows "?"
            stream.reconfigure(errors="replace")
    try:
        sys.exit(app(prog_name="lab", standalone_mode=False))
    except LabError as error:
        errors.print(f"lab: {error.message}")
        sys.exit(EXIT_BAD_INPUT if error.code in _BAD_INPUT else EXIT_FAILURE)
    except _UsageError as error:
        errors.print(_usage(error))
        sys.exit(EXIT_BAD_INPUT)
    except typer.Abort as abort:  # Ctrl-C, or "no" to a question
        interrupted = isinstance(abort.__cause__, KeyboardInterrupt)
        sys.exit(EXIT_INTERRUPTED if interrupted else EXIT_FAILURE)
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has seen enough
        sys.stderr.close()
        sys.exit(EXIT_FAILURE)


def _usage(error: Any) -> str:
    """What is wrong and where to read more, in one line; the help when nothing was asked for."""
    message = str(error.format_message())
    if "\n" in message or error.ctx is None:
        return message
    return f"lab: {message.rstrip('.')}; see {error.ctx.command_path} --help"
