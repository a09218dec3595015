"""A look inside a real run: worker, trainer, checkpoint service and inference, all of them real."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from lab.rpc.client import channel
from lab.v1 import analysis_service_pb2_grpc, inference_service_pb2_grpc, run_pb2
from lab.v1.analysis_service_pb2 import AnalyseRequest, GetAttentionRequest, TokenQuestion
from lab.v1.checkpoint_service_pb2 import (
    DeleteCheckpointRequest,
    ListCheckpointsRequest,
    VerifyCheckpointRequest,
)
from lab.v1.inference_service_pb2 import GenerateRequest, LoadModelRequest
from lab.v1.trainer_service_pb2 import PeekRunRequest, ResumeRunRequest, StopRunRequest
from tests.support.checkpoint_service import checkpoint_process, checkpoint_stub
from tests.support.inference_service import inference_service
from tests.support.trainer_service import (
    create,
    passes_step,
    reaches,
    tiny,
    trainer_service,
)


@pytest.mark.integration
async def test_a_model_in_training_is_looked_into_stopped_and_resumed(tmp_path: Path) -> None:
    with checkpoint_process(tmp_path) as (_, store):
        async with (
            trainer_service(tmp_path, checkpoint_address=store) as trainer,
            inference_service(tmp_path, store) as address,
            checkpoint_stub(store) as checkpoints,
            channel(address, peer="inference", caller="client") as open_channel,
        ):
            inference = inference_service_pb2_grpc.InferenceServiceStub(open_channel)
            analysis = analysis_service_pb2_grpc.AnalysisServiceStub(open_channel)
            await create(trainer, "live", tiny(2000, checkpoint_on_stop=True))
            steps, losses = [], []
            for at_least in (1, 40):
                await passes_step(trainer, "live", at_least)
                peeked = await trainer.PeekRun(PeekRunRequest(name="runs/live"), timeout=30)
                source = peeked.peek.name
                model = (await inference.LoadModel(LoadModelRequest(source=source))).model
                steps.append(model.step)
                maps = await analysis.GetAttention(
                    GetAttentionRequest(model=model.name, text="To be or not to be")
                )
                assert list(maps.weights.shape) == [1, 2, 6, 6]
                asked = AnalyseRequest(
                    model=model.name, text="To be or not to be", tokens=TokenQuestion()
                )
                answer = await analysis.Analyse(asked)
                assert (answer.step, answer.digest) == (model.step, model.digest)
                loss = next(each.tensor for each in answer.tensors if each.name == "loss")
                losses.append(sum(struct.unpack("<6f", loss.data)[1:]) / 5)
                request = GenerateRequest(model=model.name, prompt="To be", max_tokens=5)
                assert len([answer async for answer in inference.Generate(request)]) == 6
            assert 1 <= steps[0] < steps[1]
            assert losses[1] < losses[0]  # the same text, later in the run
            assert (
                list((await checkpoints.ListCheckpoints(ListCheckpointsRequest())).checkpoints)
                == []
            )

            await trainer.StopRun(StopRunRequest(name="runs/live"))
            await reaches(trainer, "live", run_pb2.RUN_STATE_STOPPED)
            listed = await checkpoints.ListCheckpoints(ListCheckpointsRequest())
            (saved,) = listed.checkpoints
            files = {file.name for file in saved.files}
            assert files >= {"model.safetensors", "optim.safetensors", "state.json"}
            verified = await checkpoints.VerifyCheckpoint(VerifyCheckpointRequest(name=saved.name))
            assert verified.whole
            model = (await inference.LoadModel(LoadModelRequest(source=saved.name))).model
            assert model.step == saved.step

            await trainer.ResumeRun(ResumeRunRequest(name="runs/live"), timeout=30)
            await passes_step(trainer, "live", saved.step + 5)
            await checkpoints.DeleteCheckpoint(DeleteCheckpointRequest(name=source))
