"""Questions to models: text from them, and what goes on inside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from google.protobuf.message import Message

from lab.client.checkpoints import Checkpoints
from lab.client.checkpoints import full_name as checkpoint_full_name
from lab.client.runs import Runs
from lab.errors import InvalidArgument, NotFound
from lab.names import IMPORTS, checkpoint_ids, weights_name
from lab.run_state import ENDED
from lab.v1 import analysis_service_pb2 as analysis_messages
from lab.v1 import inference_service_pb2 as messages
from lab.v1.checkpoint_pb2 import Checkpoint
from lab.v1.inference_service_pb2 import GenerateResponse, LoadingModel
from lab.v1.model_pb2 import LoadedModel
from lab.v1.run_pb2 import RunVerb
from lab.v1.tensor_pb2 import Token

if TYPE_CHECKING:  # grpc generates these for type checkers only
    from lab.v1.analysis_service_pb2_grpc import AnalysisServiceAsyncStub
    from lab.v1.inference_service_pb2_grpc import InferenceServiceAsyncStub

M = TypeVar("M", bound=Message)

LOAD_DEADLINE_SECS = 120.0
ANALYSIS_DEADLINE_SECS = 60.0
_STEPS_NAMED = 5

Question: TypeAlias = (
    analysis_messages.TokenQuestion
    | analysis_messages.ActivationQuestion
    | analysis_messages.LensQuestion
    | analysis_messages.HeadQuestion
    | analysis_messages.AttentionQuestion
    | analysis_messages.AttributionQuestion
    | analysis_messages.MaximaQuestion
    | analysis_messages.EmbeddingQuestion
    | analysis_messages.WeightQuestion
    | analysis_messages.NeighbourQuestion
)


class Models:
    """Models in the memory of the inference service. A question names where the weights are:
    a run (its weights of this moment, or its newest checkpoint), or one checkpoint.
    """

    def __init__(
        self,
        inference: InferenceServiceAsyncStub,
        analysis: AnalysisServiceAsyncStub,
        runs: Runs,
        checkpoints: Checkpoints,
    ) -> None:
        self._inference = inference
        self._analysis = analysis
        self._runs = runs
        self._checkpoints = checkpoints

    async def load(self, source: str) -> LoadedModel:
        """`source`: a run, `run@step`, or the full name of a checkpoint or a peek."""
        request = messages.LoadModelRequest(source=await self._weights(source))
        return (await self._inference.LoadModel(request, timeout=LOAD_DEADLINE_SECS)).model

    async def list(self) -> Sequence[LoadedModel]:
        return list((await self._inference.ListModels(messages.ListModelsRequest())).models)

    async def loading(self) -> Sequence[LoadingModel]:
        """Those on their way into memory, and how many of their bytes have come."""
        return list((await self._inference.ListModels(messages.ListModelsRequest())).loading)

    async def tokenize(self, text: str) -> Sequence[Token]:
        request = messages.TokenizeRequest(text=text)
        return list((await self._inference.Tokenize(request)).tokens)

    async def generate(
        self,
        model: LoadedModel,
        prompt: str,
        *,
        max_tokens: int = 64,
        temperature: float | None = None,
        top_k: int | None = None,
        seed: int | None = None,
        **options: Any,
    ) -> AsyncIterator[GenerateResponse]:
        """One message per token; a reader that stops early stops the work too.

        Further `options` are fields of GenerateRequest: top_p, min_p, repetition_penalty,
        presence_penalty, frequency_penalty, penalty_window, stop, token_ids, alternatives.
        """
        request = _request(
            messages.GenerateRequest,
            model=model.name,
            prompt=prompt,
            max_tokens=max_tokens,
            temperature=temperature,
            top_k=top_k,
            seed=seed,
            **options,
        )
        call = self._inference.Generate(request)
        try:
            async for response in call:
                yield response
        finally:
            call.cancel()

    async def analyse(
        self,
        model: LoadedModel,
        question: Question,
        text: str = "",
        *,
        other: LoadedModel | None = None,
        token_ids: Sequence[int] = (),
        after_end_of_text: bool = False,
    ) -> analysis_messages.AnalyseResponse:
        """Arrays; `question` is one of the questions of analysis_service.proto, such as
        LensQuestion(). With `other` also that model's, and the differences. See lab.client.arrays.
        """
        request = _request(
            analysis_messages.AnalyseRequest,
            model=model.name,
            other_model=other.name if other else "",
            text=text,
            token_ids=token_ids,
            after_end_of_text=after_end_of_text,
        )
        fields = request.DESCRIPTOR.oneofs_by_name["question"].fields
        name = next(each.name for each in fields if each.message_type == question.DESCRIPTOR)
        getattr(request, name).SetInParent()
        getattr(request, name).CopyFrom(question)
        return await self._analysis.Analyse(request, timeout=ANALYSIS_DEADLINE_SECS)

    async def _weights(self, source: str) -> str:
        if "@" in source:
            of_run, _ = checkpoint_ids(checkpoint_full_name(source))
            return at_step(source, await self._checkpoints.list(of_run))
        if source.count("/") > 1 or source.startswith(f"{IMPORTS}/"):
            return checkpoint_full_name(source)
        run = await self._runs.get(source)
        if RunVerb.RUN_VERB_PEEK in run.allowed_verbs:
            return (await self._runs.peek(source)).name
        if run.latest_checkpoint:
            return run.latest_checkpoint
        # No training can go on from one that holds weights only, but a look can be taken.
        if saved := await self._checkpoints.list(run.name):
            return saved[0].name
        why = "has ended without one" if run.state in ENDED else "has not made a step yet"
        raise NotFound(
            f"{run.name} has no weights to look into: nothing was saved and it {why}; "
            "train with --save, or `lab runs save` while it runs"
        )


def at_step(source: str, saved: Sequence[Checkpoint]) -> str:
    """The name of `run@step` among what is saved of the run. One of weights only will do: a look
    needs no more. Raises NotFound, with the steps that there are."""
    wanted = checkpoint_full_name(source)
    run, _ = checkpoint_ids(wanted)
    step = int(wanted.rpartition("-")[2])
    for name in (wanted, weights_name(run, step)):
        if any(one.name == name for one in saved):
            return name
    near = sorted({one.step for one in saved}, key=lambda one: abs(one - step))[:_STEPS_NAMED]
    raise NotFound(
        f"no weights of {run} are saved at step {step:,}"
        + (f"; near it are {', '.join(f'{one:,}' for one in sorted(near))}" if near else "")
        + "; `lab checkpoints list` has all there are"
    )


def _request(kind: type[M], **fields: Any) -> M:
    """Raises InvalidArgument for a number its field cannot hold, such as layer -1."""
    try:
        return kind(**fields)
    except (ValueError, TypeError) as error:
        raise InvalidArgument(f"the question cannot be sent: {error}") from error
