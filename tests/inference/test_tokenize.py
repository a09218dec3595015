"""How a text splits, how its tokens were put together, and ids read back."""

import pytest

from lab.errors import LabError
from lab.text import Tokenizer
from lab.v1.inference_service_pb2 import TokenizeRequest
from services.inference.words import MAX_MERGED_BYTES, MAX_READ_BACK
from tests.inference.conftest import SmallLab

TEXT = "un-be-liev-ably naïve 🙂 <|endoftext|>"


async def test_merges_are_told_word_by_word(lab: SmallLab) -> None:
    answer = await lab.inference.Tokenize(TokenizeRequest(text=TEXT, with_merges=True))
    plain = await lab.inference.Tokenize(TokenizeRequest(text=TEXT))
    assert answer.tokens == plain.tokens
    assert not plain.words
    assert [token.id for token in answer.tokens] == Tokenizer().encode(TEXT)
    assert sum(word.byte_count for word in answer.words) == len(TEXT.encode())
    # The merges of each word leave the tokens it became, where they stand.
    tokens = iter(answer.tokens)
    for word in answer.words:
        ids = [next(tokens).id for _ in range(word.token_count)]
        last_made = {merge.start: merge.token_id for merge in word.merges}
        assert {token for token in ids if token >= 256} <= set(last_made.values())
    assert next(tokens, None) is None


async def test_ids_are_read_back_special_ones_too(lab: SmallLab) -> None:
    ids = [*Tokenizer().encode("🙂"), Tokenizer.eot]
    answer = await lab.inference.Tokenize(TokenizeRequest(token_ids=ids))
    assert [token.id for token in answer.tokens] == ids
    assert answer.tokens[-1].text == "<|endoftext|>"
    assert answer.tokens[0].text.startswith("\\xf0")


async def test_what_cannot_be_told_is_refused_with_the_limit(lab: SmallLab) -> None:
    ask = lab.inference.Tokenize
    with pytest.raises(LabError, match=str(MAX_MERGED_BYTES)):
        await ask(TokenizeRequest(text="a" * (MAX_MERGED_BYTES + 1), with_merges=True))
    await ask(TokenizeRequest(text="a" * MAX_MERGED_BYTES, with_merges=True))
    with pytest.raises(LabError, match=str(MAX_READ_BACK)):
        await ask(TokenizeRequest(token_ids=[1] * (MAX_READ_BACK + 1)))
    with pytest.raises(LabError, match="50,256"):
        await ask(TokenizeRequest(token_ids=[50_257]))
    with pytest.raises(LabError, match="absent"):
        await ask(TokenizeRequest(token_ids=[1], text="a"))
