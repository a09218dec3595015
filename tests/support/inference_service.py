"""The real inference service in this process, and small real models to put into it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import torch

from lab.model import GPTConfig, GPTModel, save_pretrained
from lab.service.run import Service
from services.inference.service import Settings, build
from tests.support.checkpoint_service import NO_NATS

TINY = GPTConfig(layers=2, width=32, heads=4, context=64)


@asynccontextmanager
async def inference_service(
    home: Path, checkpoint_address: str, **settings: Any
) -> AsyncIterator[str]:
    """Yields its address. `home` must hold the vocabulary, see `add_vocabulary`."""
    values = Settings(
        home=home,
        port=0,
        checkpoint_address=checkpoint_address,
        **{"nats_url": NO_NATS, **settings},
    )
    async with AsyncExitStack() as stack:
        service = Service("inference", stack)
        stack.push_async_callback(service.tasks.stop)
        server = await build(values, service)
        await server.start()

        def follow(ready: bool) -> None:
            service.tasks.start("health", server.set_ready(ready))

        service.readiness.watch(follow)
        service.readiness.listening(True)
        try:
            yield f"127.0.0.1:{server.port}"
        finally:
            await server.stop(0)


def add_vocabulary(home: Path, encoder_json: Path) -> None:
    (home / "assets").mkdir(parents=True, exist_ok=True)
    (home / "assets" / encoder_json.name).symlink_to(encoder_json)


def tiny_model(config: GPTConfig = TINY, *, seed: int = 1) -> GPTModel:
    """Random, with scores spread far enough that its likeliest token is beyond rounding."""
    model = GPTModel(config, seed=seed).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(5.0)
    return model


def model_files(model: GPTModel, folder: Path) -> dict[str, bytes]:
    """The files of its checkpoint, as the worker would write them."""
    folder.mkdir(parents=True, exist_ok=True)
    save_pretrained(model, folder)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())} | {"run.json": b"{}"}
