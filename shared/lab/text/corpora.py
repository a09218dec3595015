"""The corpora known here: what they are, and their tokens once prepared."""

import threading
from collections.abc import Sequence
from pathlib import Path

from lab import folders
from lab.text.assets import Assets, Progress, no_progress
from lab.text.catalogue import CorpusInfo, not_known, read_corpora
from lab.text.prepare import write_corpus
from lab.text.splits import (
    CorpusManifest,
    TokenSplits,
    open_splits,
    read_manifest,
    split_sizes,
)
from lab.text.tokenizer import Tokenizer
from lab.v1 import corpus_pb2
from lab.v1.corpus_pb2 import Corpus

PREVIEW_CHARACTERS = 2_000
DEFAULT_VALIDATION_FRACTION = 0.1  # as in the presets; what the sizes of a Corpus show


class Corpora:
    """Corpora, one folder each. Several processes may prepare the same one at once."""

    def __init__(self, folder: Path, assets: Assets, *, catalogue: Path | None = None) -> None:
        self._folder = folder
        self._assets = assets
        self._infos = read_corpora(catalogue or folders.configs() / "corpora")
        self._preparing: set[str] = set()
        self._lock = threading.Lock()

    @classmethod
    def at_home(cls) -> "Corpora":
        """The corpora of this machine's lab."""
        return cls(folders.home() / "corpora", Assets.at_home())

    @property
    def folder(self) -> Path:
        """Where prepared corpora are; StartTraining.corpora_folder."""
        return self._folder

    def ids(self) -> Sequence[str]:
        return sorted(self._infos)

    def list(self) -> Sequence[Corpus]:
        return [self.get(corpus) for corpus in self.ids()]

    def get(self, corpus: str) -> Corpus:
        """The corpus as it is now; raises NotFound."""
        info = self._info(corpus)
        manifest = self._ready(info)
        answer = Corpus(
            name=f"corpora/{corpus}",
            title=info.title,
            description=info.description,
            licence=info.licence,
            state=corpus_pb2.CORPUS_STATE_ABSENT,
            sha256=self._assets.info(info.asset).sha256,
        )
        if manifest is not None:
            answer.state = corpus_pb2.CORPUS_STATE_READY
            answer.text_bytes = manifest.text_bytes
            answer.tokens = manifest.tokens
            answer.train_tokens, answer.validation_tokens = split_sizes(
                manifest.tokens, validation_fraction=DEFAULT_VALIDATION_FRACTION
            )
            answer.distinct_tokens = manifest.distinct_tokens
            answer.sha256 = manifest.text_sha256
        elif corpus in self._preparing:
            answer.state = corpus_pb2.CORPUS_STATE_PREPARING
        return answer

    def prepare(self, corpus: str, progress: Progress = no_progress) -> Corpus:
        """Fetches and tokenises what is not here yet. Blocks; raises AssetUnreachable."""
        info = self._info(corpus)
        if self._ready(info) is None:
            self._preparing.add(corpus)
            try:
                with self._lock:
                    self._prepare(info, progress)
            finally:
                self._preparing.discard(corpus)
        return self.get(corpus)

    def open(self, corpus: str, *, validation_fraction: float) -> TokenSplits:
        """The tokens of a prepared corpus."""
        self._info(corpus)
        return open_splits(self._folder / corpus, validation_fraction=validation_fraction)

    def preview(self, corpus: str) -> tuple[Corpus, str]:
        """The corpus and the first characters of its text."""
        answer = self.prepare(corpus)
        text = self._assets.fetch(self._info(corpus).asset).read_bytes()
        head = text[: 4 * PREVIEW_CHARACTERS].decode("utf-8", errors="ignore")
        return answer, head[:PREVIEW_CHARACTERS]

    def split_sizes(self, corpus: str, *, validation_fraction: float) -> tuple[int, int]:
        """Known before the text is here: the hash fixes the text, the text fixes its tokens."""
        info = self._info(corpus)
        manifest = self._ready(info)
        tokens = manifest.tokens if manifest else info.tokens
        return split_sizes(tokens, validation_fraction=validation_fraction)

    def count_tokens(self, text: str) -> int:
        return len(Tokenizer(self._assets).encode(text))

    def _prepare(self, info: CorpusInfo, progress: Progress) -> None:
        folder = self._folder / info.id
        if self._ready(info) is not None:
            return  # another thread did it while this one waited
        text = self._assets.fetch(info.asset, progress).read_bytes()
        write_corpus(folder, info.id, text, Tokenizer(self._assets), progress)

    def _ready(self, info: CorpusInfo) -> CorpusManifest | None:
        """The manifest of what is prepared, if it was made from the text the catalogue names."""
        manifest = read_manifest(self._folder / info.id)
        current = manifest and manifest.text_sha256 == self._assets.info(info.asset).sha256
        return manifest if current else None

    def _info(self, corpus: str) -> CorpusInfo:
        if corpus not in self._infos:
            raise not_known("corpus", corpus, sorted(self._infos))
        return self._infos[corpus]
