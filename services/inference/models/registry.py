"""The models in memory: loaded once per digest, the least recently used one let go first."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from weakref import WeakSet

import structlog

from lab.errors import NotFound, OverLimit
from lab.model import GPTModel
from lab.names import model_id, model_name
from lab.v1.checkpoint_pb2 import Checkpoint
from lab.v1.model_pb2 import LoadedModel
from services.inference.generation.prepared import Prepared, prepare
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
    """Loads one model at a time, in a thread. Who holds a Model keeps it even when it is let go.

    `max_bytes` is for weights, for the copies of them that writing reads, and for both of those let
    go that somebody still holds.
    """

    def __init__(
        self, fetcher: Fetcher, *, vocab_size: int, max_models: int, max_bytes: int
    ) -> None:
        self._fetcher = fetcher
        self._vocab_size = vocab_size
        self._max_models = max_models
        self._max_bytes = max_bytes
        self._models: OrderedDict[str, Model] = OrderedDict()  # most recently used last
        self._writers: dict[str, Prepared] = {}  # of those that were written with
        # All there are, let go or not: what somebody still uses takes memory too.
        self._networks: WeakSet[GPTModel] = WeakSet()
        self._copies: WeakSet[Prepared] = WeakSet()
        self._lock, self._preparing = asyncio.Lock(), asyncio.Lock()
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
            self._make_room(weights_bytes(checkpoint))  # they come straight into memory
            fetched = await self._fetcher.fetch(checkpoint, progress)
            if (present := self._present(fetched.checkpoint)) is not None:
                return present
            network = await asyncio.to_thread(load, fetched)
            # Files may hold fewer bytes a number.
            self._make_room(_network_bytes(network), models=1)
            model = Model(
                name=_name(fetched.checkpoint.digest),
                source=source,
                step=fetched.checkpoint.step,
                digest=fetched.checkpoint.digest,
                network=network,
            )
            self._models[model.name] = model
            self._networks.add(network)
        log.info("model loaded", model=model.name, source=source, step=model.step)
        return model

    async def writer(self, name: str) -> Prepared:
        """The model made ready for writing, at the first time. Raises NotFound, OverLimit."""
        network = self.get(name).network
        async with self._preparing:  # not the lock of loading, which may take long
            if name in self._writers:
                return self._writers[name]
            prepared = await asyncio.to_thread(prepare, network, vocab_size=self._vocab_size)
            self._make_room(prepared.copies_bytes, keep=name)
            self._copies.add(prepared)
            log.info(
                "ready for writing",
                model=name,
                by=type(prepared.decoder).__name__,
                dtype=str(prepared.decoder.dtype).removeprefix("torch."),
                copies_bytes=prepared.copies_bytes,
            )
            if name in self._models:  # nobody unloaded it meanwhile
                self._writers[name] = prepared
            return prepared

    @property
    def held_bytes(self) -> int:
        """Memory of all weights and copies that are there."""
        networks = sum(_network_bytes(network) for network in self._networks)
        return networks + sum(prepared.copies_bytes for prepared in self._copies)

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
        self._forget(name)

    def _present(self, checkpoint: Checkpoint) -> Model | None:
        """The model of equal weights, under the name that was asked for last."""
        name = _name(checkpoint.digest)
        if name not in self._models:
            return None
        model = replace(self.get(name), source=checkpoint.name, step=checkpoint.step)
        self._models[name] = model
        return model

    def _make_room(self, new_bytes: int, *, models: int = 0, keep: str | None = None) -> None:
        """Lets models go, the least recently used first, until so much more is allowed.

        Raises OverLimit when it never is, because of what is kept or of what others still use.
        """
        others = [name for name in self._models if name != keep]
        while others and (
            len(self._models) + models > self._max_models
            or self.held_bytes + new_bytes > self._max_bytes
        ):
            name = others.pop(0)
            self._forget(name)
            log.info("model let go", model=name)
        if (wanted := self.held_bytes + new_bytes) > self._max_bytes:
            raise OverLimit(
                f"this takes {new_bytes} bytes, {wanted} with the models in use; at most "
                f"{self._max_bytes} are for models: wait for texts and questions under way to end, "
                "use a smaller model or start the inference service with more (max_models_bytes)",
                metadata={"limit": str(self._max_bytes), "requested": str(wanted)},
            )

    def _forget(self, name: str) -> None:
        del self._models[name]
        self._writers.pop(name, None)


def _network_bytes(network: GPTModel) -> int:
    return sum(parameter.nbytes for parameter in network.parameters())


def _name(digest: str) -> str:
    return model_name(f"m{digest[:DIGEST_LETTERS]}")
