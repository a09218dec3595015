"""`lab assets`: the files the lab needs and does not ship."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lab.cli.output import answers, size, table
from lab.cli.progress import Steps
from lab.errors import AssetUnreachable
from lab.text import Assets

app = typer.Typer(help="Fetch or add the files the lab needs.", no_args_is_help=True)

OptionalNames = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME]...", help="Which; all when left out.")
]


@app.command("list")
def list_assets() -> None:
    """List every asset, where it may come from, and whether it is here."""
    table(
        ("asset", "here", ">size", "licence", "sources"),
        [
            (
                asset.info.name,
                "yes" if asset.path else "no",
                size(asset.info.size_bytes),
                asset.info.licence,
                ", ".join(source.kind for source in asset.info.sources),
            )
            for asset in Assets.at_home().list()
        ],
    )


@app.command()
def fetch(
    names: OptionalNames = None,
    optional: Annotated[
        list[str] | None,
        typer.Option(help="Say so when this one cannot be fetched, but do not fail; repeatable."),
    ] = None,
) -> None:
    """Fetch what is not here yet and check its SHA-256."""
    assets = Assets.at_home()
    known = [asset.info.name for asset in assets.list()]
    for name in [*(names or known), *(optional or ())]:
        assets.info(name)  # a wrong name is told before anything is fetched
    unreachable = False
    for name in names or [name for name in known if name not in (optional or ())]:
        unreachable |= not _fetch(assets, name, hint="")
    for name in optional or ():
        _fetch(assets, name, hint="; the lab works without it")
    if unreachable:
        raise typer.Exit(1)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Name of the asset.")],
    file: Annotated[Path, typer.Argument(help="The file, got in some other way.")],
) -> None:
    """Add a file that could not be fetched; its SHA-256 must be the right one."""
    Assets.at_home().add(name, file)
    answers.print(f"{name} added")


def _fetch(assets: Assets, name: str, *, hint: str) -> bool:
    with Steps() as steps:
        try:
            assets.fetch(name, steps.show)
        except AssetUnreachable as error:
            steps.done(f"{name} is not here{hint}: {error.message}")
            return False
        steps.done(f"{name} is here")
    return True
