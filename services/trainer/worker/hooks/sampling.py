"""Lets the model write at intervals, always from the same prompts, to show what it has learned."""

from lab.spec.randomness import derive
from lab.text import Tokenizer
from lab.v1.event_pb2 import TextSampled
from lab.v1.worker_pb2 import WorkerEvent
from services.trainer.worker.events import Emit
from services.trainer.worker.hooks import Hook, Step
from services.trainer.worker.recording.sample import continue_prompt
from services.trainer.worker.training import Training


class Sampling(Hook):
    """Off when sample_every is 0."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._sampled_step = -1

    def on_start(self, training: Training) -> None:
        if training.step == 0:
            self._sample(training)

    def after_step(self, training: Training, step: Step) -> None:
        every = training.sample_every
        if every and training.step % every == 0:
            self._sample(training)

    def on_end(self, training: Training) -> None:
        if self._sampled_step != training.step:
            self._sample(training)

    def _sample(self, training: Training) -> None:
        wanted = training.spec.hooks
        if not training.sample_every:
            return
        self._sampled_step = training.step
        tokenizer = Tokenizer()
        for index, prompt in enumerate(training.sample_prompts):
            ids = continue_prompt(
                training.model,
                tokenizer.encode(prompt),
                tokens=wanted.sample_tokens,
                temperature=wanted.sample_temperature,
                top_k=wanted.sample_top_k,
                seed=derive(training.spec.data.seed, "sample", training.step, index),
                end=tokenizer.eot,
            )
            sampled = TextSampled(
                step=training.step, prompt=prompt, text=tokenizer.decode(ids), prompt_index=index
            )
            self._emit(WorkerEvent(text_sampled=sampled))
