"""An inference service without a model: writes the words it is given, one token each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import grpc

from lab.errors import InvalidArgument, NotFound
from lab.rpc.server import Servicer
from lab.v1 import analysis_service_pb2 as a
from lab.v1 import analysis_service_pb2_grpc, inference_service_pb2_grpc
from lab.v1 import inference_service_pb2 as i
from lab.v1.inference_service_pb2 import FinishReason
from lab.v1.model_pb2 import LoadedModel
from lab.v1.tensor_pb2 import DTYPE_FLOAT32, NamedTensor, Tensor, Token
from tests.support.scripted import Scripted

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
MODEL = "models/m1"


class FakeInference(
    Scripted,
    inference_service_pb2_grpc.InferenceServiceServicer,
    analysis_service_pb2_grpc.AnalysisServiceServicer,
):
    """`words` are what every generation writes; `hold("token")` stops before the next one."""

    def __init__(self) -> None:
        super().__init__()
        self.words = ["the", " cat", " sat"]
        self.abandoned = 0  # generations whose reader went away

    def servicers(self) -> list[Servicer]:
        return [
            Servicer(
                inference_service_pb2_grpc.add_InferenceServiceServicer_to_server,
                self,
                "lab.v1.InferenceService",
            ),
            Servicer(
                analysis_service_pb2_grpc.add_AnalysisServiceServicer_to_server,
                self,
                "lab.v1.AnalysisService",
            ),
        ]

    async def LoadModel(self, request: i.LoadModelRequest, context: Context) -> i.LoadModelResponse:
        await self.entering("LoadModel", request)
        return i.LoadModelResponse(model=LoadedModel(name=MODEL, source=request.source))

    async def ListModels(
        self, request: i.ListModelsRequest, context: Context
    ) -> i.ListModelsResponse:
        await self.entering("ListModels", request)
        return i.ListModelsResponse(models=[LoadedModel(name=MODEL)])

    async def UnloadModel(
        self, request: i.UnloadModelRequest, context: Context
    ) -> i.UnloadModelResponse:
        await self.entering("UnloadModel", request)
        return i.UnloadModelResponse()

    async def Tokenize(self, request: i.TokenizeRequest, context: Context) -> i.TokenizeResponse:
        await self.entering("Tokenize", request)
        words = request.text.split()
        return i.TokenizeResponse(tokens=[Token(id=n, text=word) for n, word in enumerate(words)])

    async def Generate(
        self, request: i.GenerateRequest, context: Context
    ) -> AsyncIterator[i.GenerateResponse]:
        await self.entering("Generate", request)
        if request.model != MODEL:
            raise NotFound(f"no model is called {request.model}; load one first")
        if not request.prompt:
            raise InvalidArgument.field("prompt", "must hold at least one token")
        finished = False
        try:
            for index, word in enumerate(self.words):
                await self.entering("token", request)
                yield i.GenerateResponse(index=index, token=Token(id=index, text=word), text=word)
            length = FinishReason.FINISH_REASON_LENGTH
            yield i.GenerateResponse(index=len(self.words), finish_reason=length)
            finished = True
        finally:
            self.abandoned += not finished

    async def GetAttention(
        self, request: a.GetAttentionRequest, context: Context
    ) -> a.GetAttentionResponse:
        await self.entering("GetAttention", request)
        weights = Tensor(shape=[1, 1, 1, 1], dtype=DTYPE_FLOAT32, data=b"\x00\x00\x80?")
        return a.GetAttentionResponse(
            tokens=[Token(id=1, text=request.text)], layers=[0], heads=[0], weights=weights
        )

    async def Analyse(self, request: a.AnalyseRequest, context: Context) -> a.AnalyseResponse:
        await self.entering("Analyse", request)
        if request.model != MODEL:
            raise NotFound(f"no model is called {request.model}; load one first")
        loss = Tensor(shape=[1], dtype=DTYPE_FLOAT32, data=b"\x00\x00\x80?")
        return a.AnalyseResponse(
            tokens=[Token(id=1, text=request.text)],
            tensors=[NamedTensor(name="loss", tensor=loss)],
        )
