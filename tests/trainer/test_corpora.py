"""A corpus that was added beside a running trainer can be seen and trained on at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lab import folders
from lab.text import Assets, Corpora, DocumentReader, find_texts
from lab.v1 import corpus_pb2, run_pb2
from lab.v1 import trainer_service_pb2 as messages
from tests.support.trainer_service import create, reaches, tiny, trainer_service

STORY = "The ferry left without him, as it had every evening since the war. "


@pytest.mark.integration
async def test_an_added_corpus_can_be_trained_on_at_once(tmp_path: Path) -> None:
    home, text = tmp_path / "home", tmp_path / "ferry.txt"
    text.write_text(STORY * 60)
    (home / "corpora").mkdir(parents=True)  # of its own, not the one that tests share
    async with trainer_service(home) as trainer:
        before = (await trainer.ListCorpora(messages.ListCorporaRequest())).corpora
        assert "corpora/ferry" not in [corpus.name for corpus in before]

        beside = Corpora(home / "corpora", Assets(folders.home() / "assets"))
        reader = DocumentReader(find_texts([text]).files)
        await asyncio.to_thread(beside.add, "ferry", reader, title="The Ferry")

        listed = (await trainer.ListCorpora(messages.ListCorporaRequest())).corpora
        (ferry,) = [corpus for corpus in listed if corpus.name == "corpora/ferry"]
        assert (ferry.title, ferry.state) == ("The Ferry", corpus_pb2.CORPUS_STATE_READY)
        request = messages.PreviewCorpusRequest(name="corpora/ferry")
        preview = await trainer.PreviewCorpus(request, timeout=30)
        assert preview.text == (STORY * 60)[:2_000]
        assert preview.corpus == ferry

        spec = tiny(3, evaluate_every=3)
        spec.data.corpus = "ferry"
        await create(trainer, "on-ferry", spec)
        run = await reaches(trainer, "on-ferry", run_pb2.RUN_STATE_SUCCEEDED)
        assert run.stats.corpus_tokens == ferry.train_tokens
        assert run.stats.HasField("validation_loss")
