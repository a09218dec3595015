"""The models in memory: loaded once per digest, the least recently used one let go first."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from lab.errors import NotFound
from lab.model import GPTModel
from lab.names import model_id, model_name
from lab.v1.checkpoint_pb2 import Checkpoint
from lab.v1.model_pb2 import LoadedModel
from services.inference.models.fetch import Fetcher, Progress, weights_bytes
from services.inference.models.loading import load, spec_of

DIGEST_LETTERS = 12

log = structlog.get_logger()


@dataclass(frozen=True)
class Model:
    """A network ready to be asked, and where its weights came from."""

    name: str
    source: str
    step: int
    digest: str
    network: GPTModel

    @property
    def size_bytes(self) -> int:
        return sum(tensor.numel() * tensor.element_size() for tensor in self.network.parameters())

    def described(self) -> LoadedModel:
        return LoadedModel(
            name=self.name,
            source=self.source,
            step=self.step,
            digest=self.digest,
            parameters=self.network.parameter_count(),
            spec=spec_of(self.network.config),
        )


class Registry:
    """Loads one model at a time, in a thread. Who holds a Model keeps it even when it is let go."""

    def __init__(self, fetcher: Fetcher, *, max_models: int, max_bytes: int) -> None:
        self._fetcher = fetcher
        self._max_models = max_models
        self._max_bytes = max_bytes
        self._models: OrderedDict[str, Model] = OrderedDict()  # most recently used last
        self._lock = asyncio.Lock()
        self._loading: list[Progress] = []

    async def load(self, source: str) -> Model:
        """The model of a checkpoint or peek as it is now. Raises NotFound, Damaged, OverLimit."""
        checkpoint = await self._fetcher.look_up(source)
        progress = Progress(source, total_bytes=weights_bytes(checkpoint))
        self._loading.append(progress)
        try:
            return await self._load(source, checkpoint, progress)
        finally:
            self._loading.remove(progress)

    def loading(self) -> Sequence[Progress]:
        """Those that `load` was asked for and that are not here yet."""
        return list(self._loading)

    async def _load(self, source: str, checkpoint: Checkpoint, progress: Progress) -> Model:
        async with self._lock:
            if (present := self._present(checkpoint)) is not None:
                return present
            fetched = await self._fetcher.fetch(checkpoint, progress)
            if (present := self._present(fetched.checkpoint)) is not None:
                return present
            network = await asyncio.to_thread(load, fetched)
            model = Model(
                name=_name(fetched.checkpoint.digest),
                source=source,
                step=fetched.checkpoint.step,
                digest=fetched.checkpoint.digest,
                network=network,
            )
            self._models[model.name] = model
            self._let_go(keep=model.name)
        log.info("model loaded", model=model.name, source=source, step=model.step)
        return model

    def get(self, name: str) -> Model:
        """Raises NotFound when it is not in memory."""
        model_id(name)
        try:
            self._models.move_to_end(name)
        except KeyError:
            raise NotFound(
                f"{name} is not in memory; load it again from its checkpoint (models used least "
                "recently are let go)",
                metadata={"name": name},
            ) from None
        return self._models[name]

    def list(self) -> Sequence[Model]:
        """Most recently used first."""
        return [*reversed(self._models.values())]

    def unload(self, name: str) -> None:
        """Raises NotFound when it is not in memory."""
        self.get(name)
        del self._models[name]

    def _present(self, checkpoint: Checkpoint) -> Model | None:
        """The model of equal weights, under the name that was asked for last."""
        name = _name(checkpoint.digest)
        if name not in self._models:
            return None
        model = replace(self.get(name), source=checkpoint.name, step=checkpoint.step)
        self._models[name] = model
        return model

    def _let_go(self, *, keep: str) -> None:
        def over() -> bool:
            held_bytes = sum(model.size_bytes for model in self._models.values())
            return len(self._models) > self._max_models or held_bytes > self._max_bytes

        while over() and next(iter(self._models)) != keep:
            name, _ = self._models.popitem(last=False)
            log.info("model let go", model=name)


def _name(digest: str) -> str:
    return model_name(f"m{digest[:DIGEST_LETTERS]}")
