"""`lab train`: trains here and now, without a cluster: one worker process, told in the terminal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from lab.cli.progress import Steps
from lab.cli.spec_file import choose_preset, read_spec_file
from lab.cli.train.kept import Kept
from lab.cli.train.preflight import look_ahead, show_preflight
from lab.cli.train.session import Session
from lab.errors import InvalidArgument
from lab.spec import resolve, set_dotted
from lab.spec.fields import fill
from lab.text import Corpora
from lab.torchrun import follower_command, this_place
from lab.v1.run_spec_pb2 import RunSpec


def train(
    config: Annotated[
        str | None, typer.Option("--config", "--preset", help="nano, small or medium.")
    ] = None,
    corpus: Annotated[str | None, typer.Option(help="Text to train on.")] = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over the text.")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimizer steps.")] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    batch: Annotated[int | None, typer.Option(help="Sequences per step.")] = None,
    prompt: Annotated[
        list[str] | None, typer.Option(help="Sample this prompt; repeatable.")
    ] = None,
    save: Annotated[bool, typer.Option("--save", help="Keep a checkpoint of the end.")] = False,
    save_every: Annotated[
        int | None, typer.Option(help="Steps between checkpoints; the newest is kept.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for it; implies --save.")] = None,
    processes: Annotated[
        int | None, typer.Option(help="Processes that share each step; started by torchrun.")
    ] = None,
    yaml: Annotated[Path | None, typer.Option(help="A spec, laid over the preset.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="As in model.layers=4; repeatable.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what it would take, with measured times.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --dry-run: print ProtoJSON.")
    ] = False,
) -> None:
    """Train here, without the cluster."""
    file, place = read_spec_file(yaml), this_place()
    preset = choose_preset(config, file)
    overrides = _overrides(
        file.spec,
        settings or [],
        {
            "data": {"corpus": corpus},
            "budget": {
                "epochs": epochs,
                "steps": steps,
                "batch": batch,
                "processes": place.world if place.world > 1 else processes,
            },
            "optimizer": {"learning_rate": lr},
            "hooks": {
                "sample_prompts": prompt or None,
                "checkpoint_on_stop": True if save or out else None,
                "checkpoint_every": save_every,
            },
        },
    )
    corpora = Corpora.at_home()
    resolved = resolve(preset, overrides, corpora)
    if dry_run:
        return show_preflight(look_ahead(resolved), as_json=as_json)
    if resolved.spec.hooks.checkpoint_weights_only:
        raise InvalidArgument.field(
            "hooks.checkpoint_weights_only",
            "must be false here: lab train keeps one checkpoint, and goes on from it",
        )
    kept = Kept(resolved, out)
    if place.world == 1:
        kept.refuse_what_is_there()
    elif place.leads:
        kept.find()  # torchrun starts everything again when one of its processes dies
    with Steps() as progress:
        corpora.prepare(resolved.spec.data.corpus, progress.show)
    if not place.leads:
        _take_part(corpora.folder)
    session = Session(resolved, corpora.folder, kept, under_torchrun=place.world > 1)
    raise typer.Exit(session.run())


def _overrides(spec: RunSpec, settings: list[str], options: dict[str, Any]) -> RunSpec:
    """The YAML file, then --set, then the named options: the later wins."""
    for setting in settings:
        set_dotted(spec, setting)
    given = {
        section: {name: value for name, value in fields.items() if value is not None}
        for section, fields in options.items()
    }
    if violations := fill(spec, {section: fields for section, fields in given.items() if fields}):
        raise InvalidArgument.of(*violations)
    return spec


def _take_part(corpora_folder: Path) -> None:
    """Becomes a worker that follows the first process of the training, on whatever machine."""
    command = [*follower_command(), "--corpora-folder", str(corpora_folder)]
    os.execv(command[0], command)  # noqa: S606  torchrun has to see the end of this very process
