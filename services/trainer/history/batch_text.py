"""What a step read: the text of its batch, worst sequences first, so that a spike has a cause."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lab.errors import InvalidArgument, OverLimit, PreconditionFailed
from lab.limits import MAX_SEQUENCES
from lab.text import Tokenizer, open_splits
from lab.text.order import DataOrder
from lab.v1.recording_pb2 import BatchSequence, GetBatchResponse
from lab.v1.run_pb2 import Run

DEFAULT_SEQUENCES = 8

Losses = NDArray[np.float32]


def chosen(sequences: Sequence[int], losses: Losses, *, batch: int) -> list[int]:
    """Places in the batch: those asked for, or the ones with the largest losses."""
    if len(sequences) > MAX_SEQUENCES:
        raise OverLimit.field(
            "sequences", f"must be at most {MAX_SEQUENCES}, but are {len(sequences)}"
        )
    for place in sequences:
        if place >= batch:
            raise InvalidArgument.field(
                "sequences", f"must be from 0 to {batch - 1}, but one is {place}"
            )
    if sequences:
        return list(dict.fromkeys(sequences))
    return [place for place, _ in worst(losses, DEFAULT_SEQUENCES)] or list(
        range(min(batch, DEFAULT_SEQUENCES))
    )


def worst(losses: Sequence[float] | Losses, limit: int) -> list[tuple[int, float]]:
    """Places and losses, largest first; what is no number is worse than any."""
    order = np.argsort(-np.nan_to_num(np.asarray(losses, dtype=np.float64), nan=np.inf))
    return [(int(place), float(losses[place])) for place in order[:limit]]


def read_batch(
    run: Run,
    step: int,
    recorded: tuple[int, Losses],
    *,
    corpora_folder: Path,
    sequences: Sequence[int] = (),
) -> GetBatchResponse:
    """Blocks; call it in a thread. Raises PreconditionFailed when the corpus is another by now."""
    position, losses = recorded
    spec = run.spec
    batch, context = spec.budget.batch, spec.model.context
    places = chosen(sequences, losses, batch=batch)
    splits = open_splits(
        corpora_folder / spec.data.corpus, validation_fraction=spec.data.validation_fraction
    )
    if len(splits.train) != run.stats.corpus_tokens:
        raise PreconditionFailed(
            f"the corpus {spec.data.corpus} was prepared anew since {run.name} read it: it has "
            f"{len(splits.train):,} training tokens instead of {run.stats.corpus_tokens:,}"
        )
    order = DataOrder(
        len(splits.train), fingerprint=splits.fingerprint, seed=spec.data.seed, context=context
    )
    tokenizer = Tokenizer()
    answer = GetBatchResponse(
        step=step, data_position=position, epoch=position // order.epoch_sequences, batch=batch
    )
    for place in places:
        window = order.window_at(position + place)
        ids = splits.train[window * context : window * context + context + 1]
        sequence = BatchSequence(index=place, window=window, text=tokenizer.decode(ids.tolist()))
        if place < len(losses):
            sequence.loss = losses[place]
        answer.sequences.append(sequence)
    return answer
