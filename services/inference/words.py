"""The tokenizer as the services use it: loaded in the background, its limits said in words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from lab.errors import AssetUnreachable, InvalidArgument, OverLimit, Violation
from lab.text import Assets, Tokenizer
from lab.v1.inference_service_pb2 import TokenizedWord, TokenMerge
from lab.v1.tensor_pb2 import Token

MAX_TEXT_BYTES = 64 << 10  # far above the longest context; keeps tokenizing quick
MAX_MERGED_BYTES = 8 << 10  # one merge for nearly every byte
MAX_READ_BACK = 16 << 10  # token ids
RETRY_SECS = 30.0

log = structlog.get_logger()


class Words:
    """Text to tokens and back. Until the vocabulary is there each call tries to get it."""

    def __init__(self, assets: Assets, *, retry_secs: float = RETRY_SECS) -> None:
        self._assets = assets
        self._retry_secs = retry_secs
        self._tokenizer: Tokenizer | None = None
        self._loading = asyncio.Lock()

    async def tokenizer(self) -> Tokenizer:
        """Raises AssetUnreachable."""
        async with self._loading:
            if self._tokenizer is None:
                self._tokenizer = await asyncio.to_thread(Tokenizer, self._assets)
        return self._tokenizer

    async def prepare(self, ready: Callable[[], None]) -> None:
        """Gets the vocabulary, however long that takes, then calls `ready`."""
        while True:
            try:
                await self.tokenizer()
                return ready()
            except AssetUnreachable as error:
                log.warning(
                    "no vocabulary yet", detail=error.message, again_in_secs=self._retry_secs
                )
            await asyncio.sleep(self._retry_secs)

    async def split(self, text: str, *, field: str) -> list[int]:
        size = len(text.encode())
        if size > MAX_TEXT_BYTES:
            raise _over_limit(
                field, f"is {size} bytes; at most {MAX_TEXT_BYTES} are read", MAX_TEXT_BYTES, size
            )
        tokenizer = await self.tokenizer()
        return await asyncio.to_thread(tokenizer.encode, text)

    async def read_back(self, ids: Sequence[int], *, field: str) -> list[Token]:
        """The tokens of ids that somebody typed."""
        if len(ids) > MAX_READ_BACK:
            raise _over_limit(
                field,
                f"are {len(ids)} ids; at most {MAX_READ_BACK} are read back",
                MAX_READ_BACK,
                len(ids),
            )
        return await self.tokens(ids)

    async def merged(self, text: str, *, field: str) -> list[TokenizedWord]:
        """How the tokens of a text were put together, word by word."""
        size = len(text.encode())
        if size > MAX_MERGED_BYTES:
            raise _over_limit(
                field,
                f"is {size} bytes; merges are told of at most {MAX_MERGED_BYTES}, shorten it",
                MAX_MERGED_BYTES,
                size,
            )
        tokenizer = await self.tokenizer()
        return await asyncio.to_thread(
            lambda: [_merged(tokenizer, word) for word in tokenizer.words(text)]
        )

    async def prompt(self, text: str, *, field: str, context: int) -> list[int]:
        """Token ids of a text that a model is to read: 1 to `context` of them."""
        ids = await self.split(text, field=field)
        if not ids:
            raise InvalidArgument.field(
                field, f"must not be empty; give the model 1 to {context} tokens to read"
            )
        if len(ids) > context:
            raise _over_limit(
                field,
                f"is {len(ids)} tokens; the model reads at most {context}, shorten it",
                context,
                len(ids),
            )
        return ids

    async def given(
        self, text: str, ids: Sequence[int], *, fields: tuple[str, str], context: int
    ) -> list[int]:
        """Token ids of a text, or the ids that came instead of one; `fields` are their names."""
        if not ids:
            return await self.prompt(text, field=fields[0], context=context)
        if text:
            raise InvalidArgument.field(
                fields[1], f"must be absent when {fields[0]} is given: say it one way"
            )
        if len(ids) > context:
            raise _over_limit(
                fields[1],
                f"are {len(ids)} tokens; the model reads at most {context}, shorten it",
                context,
                len(ids),
            )
        if (largest := max(ids)) >= Tokenizer.vocab_size:
            raise InvalidArgument.field(
                fields[1], f"must be from 0 to {Tokenizer.vocab_size - 1}, but one is {largest}"
            )
        return list(ids)

    async def tokens(self, ids: Sequence[int]) -> list[Token]:
        pieces = (await self.tokenizer()).pieces(ids)
        return [Token(id=token, text=text) for token, text in zip(ids, pieces, strict=True)]


def _merged(tokenizer: Tokenizer, word: bytes) -> TokenizedWord:
    merges = tokenizer.merges(word)
    return TokenizedWord(
        byte_count=len(word),
        token_count=len(word) - len(merges),  # each merge makes one piece of two
        merges=[
            TokenMerge(start=one.start, middle=one.middle, end=one.end, token_id=one.token)
            for one in merges
        ],
    )


def _over_limit(field: str, description: str, limit: int, requested: int) -> OverLimit:
    return OverLimit(
        f"{field}: {description}",
        metadata={"limit": str(limit), "requested": str(requested)},
        violations=[Violation(field, description)],
    )
