"""`lab generate`: let a model continue a prompt, token by token."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from lab.cli.loading import loaded
from lab.cli.output import errors, plain
from lab.client import Lab, connect
from lab.v1.inference_service_pb2 import FinishReason

SOURCE_HELP = (
    "A run (its weights of this moment, or its newest checkpoint), RUN@STEP, or the full name of "
    "a checkpoint."
)
Source = Annotated[str, typer.Argument(metavar="SOURCE", help=SOURCE_HELP)]


def generate(
    source: Source,
    prompt: Annotated[str, typer.Option(help="What to continue.")],
    max_tokens: Annotated[int, typer.Option(min=1, max=512, help="New tokens at most.")] = 64,
    temperature: Annotated[
        float | None, typer.Option(help="0 takes the likeliest token; default 0.8.")
    ] = None,
    top_k: Annotated[
        int | None, typer.Option(min=0, help="Draw from the k likeliest; 0 means all; default 40.")
    ] = None,
    top_p: Annotated[
        float | None, typer.Option(help="Draw from the fewest that have this probability together.")
    ] = None,
    min_p: Annotated[
        float | None, typer.Option(help="Draw from those this fraction as likely as the likeliest.")
    ] = None,
    repetition_penalty: Annotated[
        float | None, typer.Option(help="Above 1: less of what is in the text already.")
    ] = None,
    presence_penalty: Annotated[
        float | None, typer.Option(help="Taken off the score of what is in the text already.")
    ] = None,
    frequency_penalty: Annotated[
        float | None, typer.Option(help="The same for every time it is in the text.")
    ] = None,
    stop: Annotated[
        list[str] | None, typer.Option(help="End before this text; may be given several times.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Same seed, same text.")] = None,
    compare: Annotated[
        str | None,
        typer.Option("--compare", metavar="SOURCE", help="Then a second model's, same seed."),
    ] = None,
) -> None:
    """Continue a prompt and print the text as it is written.

    The options act in this order: penalties, top-k, top-p, min-p, temperature, draw.
    """
    options: dict[str, Any] = {
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "min_p": min_p,
        "repetition_penalty": repetition_penalty,
        "presence_penalty": presence_penalty,
        "frequency_penalty": frequency_penalty,
        "stop": stop or [],
        "seed": seed,
    }

    async def work() -> None:
        async with connect() as lab:
            for each in (source, compare):
                if each is not None:
                    # The second draws with what was left to chance in the first.
                    options["seed"] = await _write(lab, each, prompt, max_tokens, options)

    asyncio.run(work())


async def _write(
    lab: Lab, source: str, prompt: str, max_tokens: int, options: Mapping[str, Any]
) -> int:
    """Prints one text as it comes; answers its seed."""
    model = await loaded(lab, source)
    errors.print(f"{model.source} at step {model.step:,}", style="dim")
    said, seed = plain(prompt), 0
    async for response in lab.models.generate(model, prompt, max_tokens=max_tokens, **options):
        # With the first answer, because what is refused leaves nothing behind.
        sys.stdout.write(said + plain(response.text))
        said = ""
        sys.stdout.flush()
        if response.finish_reason != FinishReason.FINISH_REASON_UNSPECIFIED:
            sys.stdout.write("\n")
            sys.stdout.flush()
            seed = response.seed
            errors.print(
                f"{response.index} tokens in {response.elapsed_secs:.2f} s, the first "
                f"after {response.timing.first_token_secs:.2f} s; --seed {seed} "
                "writes it again",
                style="dim",
            )
    return seed
