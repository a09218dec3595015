"""What the inference service is made of: one process that answers two gRPC services."""

from __future__ import annotations

import asyncio

import torch
from pydantic import Field

from lab import folders
from lab.rpc.client import channel
from lab.rpc.server import GrpcServer, Servicer
from lab.service.beat import join_bus
from lab.service.run import Service
from lab.service.settings import ServiceSettings
from lab.text import Assets, Tokenizer
from lab.v1 import analysis_service_pb2_grpc, inference_service_pb2_grpc
from services.inference.analysis.kept import Kept
from services.inference.analysis.turns import Turns
from services.inference.analysis.walks import Walks
from services.inference.analysis_servicer import AnalysisServicer
from services.inference.generation.engine import Engine
from services.inference.generation_servicer import GenerationServicer
from services.inference.models.fetch import Fetcher
from services.inference.models.registry import Registry
from services.inference.words import Words


class Settings(ServiceSettings):
    port: int = Field(50052, ge=0, le=65535, description="port to listen on; 0 takes any free one")
    checkpoint_address: str = Field("127.0.0.1:50053", description="the checkpoint service")
    threads: int = Field(1, gt=0, description="processor threads of one computation")
    max_generations: int = Field(16, gt=0, description="texts generated at once")
    max_waiting: int = Field(64, ge=0, description="texts that may wait for their turn")
    max_text_bytes: int = Field(1 << 30, gt=0, description="memory for keys and values of texts")
    max_answers_bytes: int = Field(64 << 20, ge=0, description="memory for answers kept")
    max_walks_bytes: int = Field(
        128 << 20, ge=0, description="memory for the last forward passes of analyses"
    )
    max_analyses: int = Field(32, gt=0, description="analyses under way or waiting at once")
    max_models: int = Field(16, gt=0, description="models kept in memory")
    max_models_bytes: int = Field(
        4 << 30, gt=0, description="memory for models and their copies, also of one"
    )


async def build(settings: Settings, service: Service) -> GrpcServer:
    torch.set_num_threads(settings.threads)
    await join_bus(service, settings.nats_url, needed=False)
    service.needs_grpc("checkpoint", settings.checkpoint_address)
    words = Words(Assets(settings.home / "assets", folders.asset_mirror()))
    service.readiness.needs("vocabulary", "assets")
    service.tasks.start("vocabulary", words.prepare(lambda: service.readiness.met("vocabulary")))

    checkpoints = await service.enter(
        channel(settings.checkpoint_address, peer="checkpoint", caller="inference")
    )
    fetcher = Fetcher(checkpoints, max_model_bytes=settings.max_models_bytes)
    registry = Registry(
        fetcher,
        vocab_size=Tokenizer.vocab_size,
        max_models=settings.max_models,
        max_bytes=settings.max_models_bytes,
    )
    engine = Engine(
        places=settings.max_generations,
        waiting=settings.max_waiting,
        room_bytes=settings.max_text_bytes,
    )
    service.on_exit(lambda: asyncio.to_thread(engine.stop))
    generation = GenerationServicer(registry, words, engine)
    turns = Turns(settings.max_analyses)
    service.on_exit(lambda: asyncio.to_thread(turns.close))
    analysis = AnalysisServicer(
        *(registry, words, turns),
        kept=Kept(settings.max_answers_bytes),
        walks=Walks(settings.max_walks_bytes),
    )
    return GrpcServer(
        [
            Servicer(
                inference_service_pb2_grpc.add_InferenceServiceServicer_to_server,
                generation,
                "lab.v1.InferenceService",
            ),
            Servicer(
                analysis_service_pb2_grpc.add_AnalysisServiceServicer_to_server,
                analysis,
                "lab.v1.AnalysisService",
            ),
        ],
        host=settings.host,
        port=settings.port,
    )
