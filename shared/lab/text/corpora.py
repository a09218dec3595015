"""The corpora known here: those that come with the lab, and those that its users added."""

import shutil
import tempfile
import threading
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from lab import folders
from lab.errors import Damaged, InvalidArgument, LabError
from lab.spec import load_presets
from lab.text.assets import Assets, Progress, no_progress
from lab.text.catalogue import CorpusInfo, not_known, read_corpora
from lab.text.corpus_manifest import BY_DOCUMENT, CorpusManifest, read_manifest
from lab.text.documents import DocumentReader
from lab.text.files import text_file
from lab.text.prepare import About, taken, write_corpus
from lab.text.splits import TokenSplits, open_splits, position_sizes, split_sizes, whole_stream
from lab.text.tokenizer import Tokenizer
from lab.v1 import corpus_pb2
from lab.v1.corpus_pb2 import Corpus

PREVIEW_CHARACTERS = 2_000
DEFAULT_VALIDATION_FRACTION = 0.1  # as in the presets; what the sizes of a Corpus show


class Corpora:
    """Corpora, one folder each. Several processes may prepare the same one at once.

    The folder is looked at anew for every answer: what another process added is seen at once.
    """

    def __init__(self, folder: Path, assets: Assets, *, catalogue: Path | None = None) -> None:
        self._folder = folder
        self._assets = assets
        self._infos = read_corpora(catalogue or folders.configs() / "corpora")
        self._preparing: dict[str, float] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    @classmethod
    def at_home(cls) -> "Corpora":
        """The corpora of this machine's lab."""
        return cls(folders.home() / "corpora", Assets.at_home())

    @property
    def folder(self) -> Path:
        """Where prepared corpora are; StartTraining.corpora_folder."""
        return self._folder

    def ids(self) -> Sequence[str]:
        return sorted({*self._infos, *self._added()})

    def list(self) -> Sequence[Corpus]:
        return [self.get(corpus) for corpus in self.ids()]

    def get(self, corpus: str) -> Corpus:
        """The corpus as it is now; raises NotFound."""
        manifest = self._manifest(corpus)
        if manifest is not None:
            return _ready(manifest, self._folder / corpus)
        info = self._infos[corpus]
        answer = Corpus(
            name=f"corpora/{corpus}",
            title=info.title,
            description=info.description,
            licence=info.licence,
            state=corpus_pb2.CORPUS_STATE_ABSENT,
            sha256=self._assets.info(info.asset).sha256,
        )
        if (share := self._preparing.get(corpus)) is not None:
            answer.state = corpus_pb2.CORPUS_STATE_PREPARING
            answer.prepared_share = share
        return answer

    def prepare(self, corpus: str, progress: Progress = no_progress) -> Corpus:
        """Fetches and tokenises what is not here yet. Blocks; raises AssetUnreachable."""
        if not self._whole(corpus):
            self._preparing[corpus] = 0.0

            def told(what: str, share: float) -> None:
                self._preparing[corpus] = share
                progress(what, share)

            try:
                with self._locks[corpus]:
                    if not self._whole(corpus):  # nobody did it while this one waited
                        self._prepare(self._infos[corpus], told)
            finally:
                self._preparing.pop(corpus, None)
        return self.get(corpus)

    def add(
        self,
        corpus: str,
        reader: DocumentReader,
        *,
        title: str = "",
        description: str = "",
        licence: str = "",
        progress: Progress = no_progress,
        processes: int | None = None,
    ) -> Corpus:
        """Makes a corpus of a user's own files. Blocks; raises AlreadyExists, InvalidArgument."""
        if corpus in self.ids():
            raise taken(corpus)
        about = About(
            corpus=corpus,
            title=title or corpus,
            description=description,
            licence=licence or "not said",
            added=True,
        )
        tokenizer = Tokenizer(self._assets)
        write_corpus(self._folder / corpus, about, reader, tokenizer, progress, processes=processes)
        return self.get(corpus)

    def remove(self, corpus: str) -> None:
        """Deletes an added corpus; raises NotFound or InvalidArgument."""
        manifest = self._manifest(corpus)
        if corpus in self._infos or manifest is None:
            raise InvalidArgument.field(
                "corpus", f"{corpus} comes with the lab; only added corpora can be removed"
            )
        aside = Path(tempfile.mkdtemp(prefix=f".{corpus}.", suffix=".tmp", dir=self._folder))
        (self._folder / corpus).rename(aside / "old")
        shutil.rmtree(aside, ignore_errors=True)

    def open(self, corpus: str, *, validation_fraction: float) -> TokenSplits:
        """The tokens of a prepared corpus."""
        self._manifest(corpus)
        return open_splits(self._folder / corpus, validation_fraction=validation_fraction)

    def preview(self, corpus: str) -> tuple[Corpus, str]:
        """The corpus and the first characters of its text, a blank line between documents."""
        answer = self.prepare(corpus)
        tokenizer = Tokenizer(self._assets)
        # A token is a byte at the least and a character four at the most.
        stream = whole_stream(self._folder / corpus)[: 4 * PREVIEW_CHARACTERS].tolist()
        texts: list[list[int]] = []
        for token in stream:
            if token == tokenizer.eot:
                texts.append([])
            else:
                texts[-1].append(token)
        head = b"\n\n".join(map(tokenizer.decode_bytes, texts)).decode("utf-8", errors="ignore")
        return answer, head[:PREVIEW_CHARACTERS]

    def split_sizes(self, corpus: str, *, validation_fraction: float) -> tuple[int, int]:
        """Known before the text is here: the hash fixes the text, the text fixes its tokens."""
        manifest = self._manifest(corpus)
        if manifest is None:
            tokens = self._infos[corpus].tokens
            return position_sizes(tokens, validation_fraction=validation_fraction)
        return _sizes(self._folder / corpus, manifest, validation_fraction)

    def count_tokens(self, text: str) -> int:
        return len(Tokenizer(self._assets).encode(text))

    def _prepare(self, info: CorpusInfo, progress: Progress) -> None:
        path = self._assets.fetch(info.asset, progress)
        about = About(
            corpus=info.id,
            title=info.title,
            description=info.description,
            licence=info.licence,
            added=False,
            source_sha256=self._assets.info(info.asset).sha256,
        )
        reader = DocumentReader([text_file(path, label=f"corpus {info.id}")])
        folder = self._folder / info.id
        write_corpus(folder, about, reader, Tokenizer(self._assets), progress)

    def _whole(self, corpus: str) -> bool:
        """Whether it can be read; a damaged one that comes with the lab can be made again."""
        if (manifest := self._manifest(corpus)) is None:
            return False
        try:
            open_splits(self._folder / corpus, validation_fraction=DEFAULT_VALIDATION_FRACTION)
        except Damaged:
            if manifest.added:
                raise
            shutil.rmtree(self._folder / corpus, ignore_errors=True)
            return False
        return True

    def _manifest(self, corpus: str) -> CorpusManifest | None:
        """Of what is prepared; None when it comes with the lab and is not; raises NotFound."""
        info = self._infos.get(corpus)
        if info is None and corpus not in self._added():
            raise not_known("corpus", corpus, list(self.ids()))
        manifest = read_manifest(self._folder / corpus)
        if info is None:
            return manifest
        current = manifest and manifest.source_sha256 == self._assets.info(info.asset).sha256
        return manifest if current else None

    def _added(self) -> Sequence[str]:
        if not self._folder.is_dir():
            return []
        found = []
        for folder in self._folder.iterdir():
            if not folder.name.startswith(".") and folder.name not in self._infos:
                manifest = read_manifest(folder)
                if manifest is not None and manifest.added:
                    found.append(folder.name)
        return found


@lru_cache(maxsize=64)
def _sizes(folder: Path, manifest: CorpusManifest, validation_fraction: float) -> tuple[int, int]:
    return split_sizes(folder, manifest, validation_fraction=validation_fraction)


def _ready(manifest: CorpusManifest, folder: Path) -> Corpus:
    answer = Corpus(
        name=f"corpora/{manifest.corpus}",
        title=manifest.title,
        description=manifest.description,
        licence=manifest.licence,
        state=corpus_pb2.CORPUS_STATE_READY,
        text_bytes=manifest.text_bytes,
        tokens=manifest.tokens,
        distinct_tokens=manifest.distinct_tokens,
        sha256=manifest.text_sha256,
        documents=manifest.documents,
        vocabulary_share=manifest.distinct_tokens / Tokenizer.vocab_size,
        split=corpus_pb2.CORPUS_SPLIT_DOCUMENT
        if manifest.split == BY_DOCUMENT
        else corpus_pb2.CORPUS_SPLIT_POSITION,
        added=manifest.added,
        fingerprint=manifest.fingerprint,
        unigram_entropy=manifest.unigram_entropy,
    )
    try:
        sizes = _sizes(folder, manifest, DEFAULT_VALIDATION_FRACTION)
    except LabError:  # damaged: a list of all corpora must still be possible
        return answer
    answer.train_tokens, answer.validation_tokens = sizes
    for preset in load_presets().values():
        answer.tokens_per_parameter.add(
            preset=preset.name, tokens_per_parameter=answer.train_tokens / preset.parameters
        )
    return answer
