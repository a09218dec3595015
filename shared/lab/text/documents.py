"""Reads the documents of text files: .txt is one document, .jsonl is one a line, folders of both.

A file is read in blocks and never held whole. Whatever cannot be trained on is refused with the
place where it is.
"""

import codecs
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from lab.errors import InvalidArgument
from lab.text.files import TextFile, opened

BLOCK_BYTES = 1 << 20
MAX_LINE_BYTES = 32 << 20  # of a .jsonl file: the one thing that must fit in memory
JSON_LINES = (".jsonl", ".ndjson")

_BYTE_ORDER_MARK = codecs.BOM_UTF8
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Piece:
    """Some text of a document; `begins` marks the first piece of each."""

    text: str
    begins: bool


class DocumentReader:
    """Reads files one after another, and counts what is worth telling about them."""

    def __init__(
        self, files: Sequence[TextFile], *, field: str = "text", separator: str = ""
    ) -> None:
        """A separator parts the documents of a .txt file wherever it stands, and is left out."""
        self._files = files
        self._field = field
        self._separator = separator
        self.total_bytes = sum(file.size_bytes for file in files)
        self.read_bytes = 0
        self.empty_documents = 0  # left out
        self.byte_order_marks = 0  # left out
        self.files_with_crlf = 0  # kept as they are

    def pieces(self) -> Iterator[Piece]:
        for file in self._files:
            with opened(file) as stream:
                if file.path.suffix.lower() in JSON_LINES:
                    yield from self._lines(file.label, stream)
                elif self._separator:
                    yield from self._parted(self._text(file.label, stream))
                else:
                    yield from self._text(file.label, stream)

    def _text(self, label: str, stream: BinaryIO) -> Iterator[Piece]:
        offset, rest, crlf, begun = 0, b"", False, False
        while block := stream.read(BLOCK_BYTES):
            last = len(block) < BLOCK_BYTES
            self.read_bytes += len(block)
            if offset == 0 and not rest:
                if block.startswith(_UTF_16):
                    raise _not_utf8(label, 0, "it looks like UTF-16")
                if block.startswith(_BYTE_ORDER_MARK):
                    self.byte_order_marks += 1
                    block, offset = block[len(_BYTE_ORDER_MARK) :], len(_BYTE_ORDER_MARK)
                if last and not block.strip():
                    break
            block = rest + block
            crlf = crlf or b"\r\n" in block
            text, used = _decode(label, block, offset, last=False)
            if text:
                yield Piece(text, begins=not begun)
                begun = True
            offset, rest = offset + used, block[used:]
        if rest:
            _decode(label, rest, offset, last=True)
        self.empty_documents += not begun
        self.files_with_crlf += crlf

    def _parted(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """The documents between the separators, without the white space around them."""
        mark, held, begins = self._separator, "", True
        for piece in pieces:
            *whole, held = (held + piece.text).split(mark)
            for text in whole:
                if text := text.rstrip() if not begins else text.strip():
                    yield Piece(text, begins)
                elif begins:
                    self.empty_documents += 1
                begins = True
            # Its end may be the beginning of a separator, or white space before one.
            ready = len(held.rstrip()) - len(mark)
            if ready > len(mark) and (text := held[:ready].lstrip() if begins else held[:ready]):
                yield Piece(text, begins)
                held, begins = held[ready:], False
        if text := held.strip() if begins else held.rstrip():
            yield Piece(text, begins)

    def _lines(self, label: str, stream: BinaryIO) -> Iterator[Piece]:
        number = offset = 0
        while line := stream.readline(MAX_LINE_BYTES + 1):
            number += 1
            where = f"{label}: line {number:,} (byte offset {offset:,})"
            if len(line) > MAX_LINE_BYTES:
                raise InvalidArgument(
                    f"{where} is longer than {MAX_LINE_BYTES >> 20} MB, the limit of one document "
                    "in a .jsonl file; give such a text as a .txt file"
                )
            self.read_bytes += len(line)
            text, _ = _decode(label, line, offset, last=True)
            offset += len(line)
            if not text.strip("\ufeff \t\r\n"):
                continue
            document = _field_of(where, text.removeprefix("\ufeff"), self._field)
            if document.strip():
                yield Piece(document, begins=True)
            else:
                self.empty_documents += 1


def _decode(label: str, block: bytes, offset: int, *, last: bool) -> tuple[str, int]:
    """The text, and how many bytes of the block it took: a character may be cut by its end."""
    if (zero := block.find(b"\0")) >= 0:
        raise InvalidArgument(
            f"{label}: holds a NUL byte at offset {offset + zero:,}; give plain UTF-8 text"
        )
    try:
        return codecs.utf_8_decode(block, "strict", last)
    except UnicodeDecodeError as error:
        raise _not_utf8(label, offset + error.start, error.reason) from error


def _field_of(where: str, line: str, field: str) -> str:
    """The text field of a JSON object."""
    try:
        value = json.loads(line)
    except ValueError as error:
        raise InvalidArgument(f"{where} is not JSON: {error}") from error
    except RecursionError:
        raise InvalidArgument(f"{where} is nested too deeply") from None
    if not isinstance(value, dict):
        raise InvalidArgument(f'{where} is not an object; lines must look like {{"{field}": "…"}}')
    text = value.get(field)
    if not isinstance(text, str):
        there = ", ".join(name for name, found in value.items() if isinstance(found, str))
        remedy = (
            f"its text fields are {there[:200]}; name one with --field"
            if there
            else f'nor any other; each line must hold its text, as in {{"{field[:40]}": "…"}}'
        )
        raise InvalidArgument(f'{where} has no text field "{field[:40]}"; {remedy}')
    if "\0" in text:
        raise InvalidArgument(f"{where} holds a NUL character (\\u0000); give plain text")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgument(
            f"{where} holds half of a surrogate pair (\\u{ord(text[error.start]):04x}), which is "
            "no character"
        ) from error
    return text


def _not_utf8(label: str, offset: int, why: str) -> InvalidArgument:
    return InvalidArgument(
        f"{label}: is not UTF-8 at byte offset {offset:,} ({why}); save it as UTF-8"
    )
