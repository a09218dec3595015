"""Everything a run has in memory while it trains, and how it is put together."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import torch
from torch import Tensor
from torch.optim import AdamW

from lab.errors import InvalidArgument
from lab.model import GPTConfig, GPTModel, LogitsRoom
from lab.model.layers import Linear
from lab.spec import CHUNK_TOKENS
from lab.spec.randomness import derive
from lab.text import Tokens, open_splits
from lab.v1 import run_spec_pb2
from lab.v1.run_pb2 import LiveSettings
from lab.v1.run_spec_pb2 import BudgetSpec, RunSpec
from lab.v1.worker_pb2 import StartTraining
from services.trainer.worker.batches import Batches
from services.trainer.worker.compiling import compiled, settle_compile
from services.trainer.worker.distributed import Ranks
from services.trainer.worker.graphs import GraphedPass
from services.trainer.worker.optim import make_gradients, make_optimizer
from services.trainer.worker.precision import DTYPES
from services.trainer.worker.precision import settle as settle_precision
from services.trainer.worker.recording.spikes import Windows

CORES_UNNOTICED = 0.2  # that others may use on average


class Clock:
    """Seconds spent training, pauses left out, over all attempts."""

    def __init__(self) -> None:
        self._before = 0.0
        self._since: float | None = None

    def go(self) -> None:
        if self._since is None:
            self._since = time.perf_counter()

    def halt(self) -> None:
        self._before, self._since = self.secs, None

    def set(self, secs: float) -> None:
        """Where an earlier attempt left off."""
        self._before = secs

    @property
    def secs(self) -> float:
        running = 0.0 if self._since is None else time.perf_counter() - self._since
        return self._before + running


@dataclass(frozen=True)
class Origin:
    """Where a run begins to count: at nothing, or at what it had made when it was forked."""

    step: int = 0
    tokens: int = 0
    sequence: int = 0  # the place in the endless row of sequences


@dataclass
class Training:
    """A run in the middle of its training."""

    run: str
    spec: RunSpec
    model: GPTModel
    optimizer: AdamW
    gradients: Tensor  # of all parameters, in one row; each .grad is a piece of it
    room: LogitsRoom
    batches: Batches
    train_tokens: int
    validation: Tokens
    staging_folder: Path
    # Two numbers that stay on the device, because asking for them would wait for it.
    newest_loss: Tensor  # of the newest step that was applied; NaN before the first
    skipped_in_a_row: Tensor
    step: int = 0  # steps made, those included that were no number and moved nothing
    validation_loss: float | None = None
    best_validation_loss: float | None = None
    clock: Clock = field(default_factory=Clock)
    ranks: Ranks = field(default_factory=Ranks)
    # What was changed since the run was created. Part of the state: a resume goes on with it.
    live: LiveSettings = field(default_factory=LiveSettings)
    origin: Origin = field(default_factory=Origin)
    # What is not as it was when the checkpoint was made from which this process went on.
    inexact_reasons: list[str] = field(default_factory=list)
    windows: Windows = field(default_factory=Windows)  # of the newest steps, to know a spike by
    graphs_allowed: bool = False  # whether a device's kernels may be recorded and started together
    passes: dict[torch.Size, GraphedPass] = field(default_factory=dict)  # by shape of micro-batch
    head_is_fresh: bool = False  # whether what its gradient holds counts as zero
    fencing_token: int = 0  # the claim under which it trains; goes with everything it saves

    def forget_gradients(self) -> None:
        """As if all were zero. Where those that sum them up can replace what is there, they do."""
        self.head_is_fresh = replaces = self.room.operations is not None
        if not replaces:
            self.gradients.zero_()  # in the same memory: fresh pages cost more than zeros
            return
        replaced = {self.model.head_weight}
        for module in self.model.modules():
            if isinstance(module, Linear) and module.adds_gradients:
                module.fresh = True
                replaced.update(module.parameters())
        for parameter in self.model.parameters():
            if parameter not in replaced and parameter.grad is not None:
                parameter.grad.zero_()

    def settle_gradients(self) -> None:
        """What nothing was added to is zero in fact: a process may have no part of a batch."""
        if self.head_is_fresh and self.model.head_weight.grad is not None:
            self.model.head_weight.grad.zero_()
        self.head_is_fresh = False
        for module in self.model.modules():
            if isinstance(module, Linear) and module.fresh:
                module.set_to_zero()

    def begin_at(self, origin: Origin) -> None:
        """Counts and reads from there on."""
        self.origin = origin
        self.batches.begin_at(step=origin.step, sequence=origin.sequence)

    @property
    def rate_scale(self) -> float:
        """The schedule's learning rate is multiplied by this."""
        return self.live.learning_rate_scale if self.live.HasField("learning_rate_scale") else 1.0

    @property
    def sample_every(self) -> int:
        live = self.live
        return live.sample_every if live.HasField("sample_every") else self.spec.hooks.sample_every

    @property
    def sample_prompts(self) -> Sequence[str]:
        if self.live.HasField("sample_prompts"):
            return self.live.sample_prompts.prompts
        return self.spec.hooks.sample_prompts

    @property
    def tokens(self) -> int:
        """Tokens trained on."""
        return self.origin.tokens + (self.step - self.origin.step) * self.batch_tokens

    @property
    def batch_tokens(self) -> int:
        """Tokens of one step."""
        return self.spec.budget.batch * self.spec.model.context

    @property
    def loss(self) -> float | None:
        """Of the newest step that was applied."""
        loss = self.newest_loss.item()
        return None if math.isnan(loss) else loss

    @loss.setter
    def loss(self, loss: float | None) -> None:
        self.newest_loss.fill_(math.nan if loss is None else loss)

    @property
    def dtype(self) -> torch.dtype:
        """The type of what is multiplied; the weights are fp32."""
        return DTYPES[self.spec.budget.precision]

    @property
    def device(self) -> torch.device:
        return self.model.head_weight.device


def build(start: StartTraining, ranks: Ranks | None = None) -> Training:
    """Opens the data and makes the model as it is before the first step."""
    spec, ranks = start.spec, ranks or Ranks()
    device = _device(spec.budget, ranks)
    torch.set_num_threads(spec.budget.threads or _own_cores(ranks))
    settle(spec, ranks)
    # Numbers below 1e-38 take a slow path in processors, and mean nothing here.
    torch.set_flush_denormal(True)
    splits = open_splits(
        Path(start.corpora_folder) / spec.data.corpus,
        validation_fraction=spec.data.validation_fraction,
    )
    config = GPTConfig.from_spec(spec.model)
    model = GPTModel(config, seed=derive(spec.data.seed, "weights")).to(device)
    # A batch reads a few rows of the embedding. A dense gradient for all the others, zeros to be
    # made and added, takes a processor longer than the whole lookup. A GPU would have to be halted
    # to learn how many rows they are.
    model.token_embedding.sparse = device.type == "cpu"
    for module in model.modules():
        if isinstance(module, Linear):
            module.adds_gradients = True  # .grad is one row of ours, and all we do is `backward`
    model.recompute_blocks = spec.budget.activation_checkpointing
    if spec.budget.compile == run_spec_pb2.COMPILE_ON:
        model.compiled_blocks = [compiled(block) for block in model.blocks]
    room = LogitsRoom(
        vocab_size=config.vocab_size,
        width=config.width,
        chunk_tokens=min(CHUNK_TOKENS, spec.budget.micro_batch * config.context),
        dtype=DTYPES[spec.budget.precision],
        device=device,
    )
    return Training(
        run=start.run,
        spec=spec,
        model=model,
        optimizer=make_optimizer(model, spec.optimizer),
        gradients=make_gradients(model),
        room=room,
        batches=Batches(
            splits.train,
            fingerprint=splits.fingerprint,
            seed=spec.data.seed,
            context=config.context,
            batch=spec.budget.batch,
        ),
        train_tokens=len(splits.train),
        validation=splits.validation,
        staging_folder=Path(start.staging_folder),
        newest_loss=torch.full((), math.nan, device=device),
        skipped_in_a_row=torch.zeros((), device=device),
        live=start.live,
        # A graph holds no draws of its own, and no second forward pass.
        graphs_allowed=device.type == "cuda"
        and not spec.model.dropout
        and not spec.budget.activation_checkpointing,
        fencing_token=start.fencing_token,
        ranks=ranks,
    )


def settle(spec: RunSpec, ranks: Ranks) -> None:
    """Decides what the spec leaves to a measurement. What is decided stays as it is."""
    device = _device(spec.budget, ranks)
    spec.budget.precision = settle_precision(spec.budget.precision, device)
    spec.budget.compile = settle_compile(spec, device)


def physical_cores() -> int:
    """Cores this process may use; a second thread on a core only gets in the way."""
    allowed = len(psutil.Process().cpu_affinity() or [0])
    return max(1, min(psutil.cpu_count(logical=False) or 1, allowed))


def crowded(training: Training) -> bool:
    """Whether training keeps every core busy, so that whatever else is done slows it down."""
    if training.device.type != "cpu":
        return False
    return torch.get_num_threads() * training.ranks.place.local_world >= physical_cores()


def short_of_cores(training: Training, others: float) -> bool:
    """Whether training and others, which keep so many cores busy, want more than there are."""
    own = torch.get_num_threads() if training.device.type == "cpu" else 1
    return own + others > physical_cores() + CORES_UNNOTICED


def _own_cores(ranks: Ranks) -> int:
    """This process's share of the cores of its machine."""
    return max(1, physical_cores() // ranks.place.local_world)


def _device(budget: BudgetSpec, ranks: Ranks) -> torch.device:
    if budget.device == "cuda" and not torch.cuda.is_available():
        raise InvalidArgument.field(
            "budget.device", 'is "cuda", but this machine has no CUDA device; set it to "cpu"'
        )
    if budget.device == "cuda":
        return torch.device("cuda", ranks.place.local_rank)
    return torch.device(budget.device)
