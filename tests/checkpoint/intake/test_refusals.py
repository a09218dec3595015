"""What must not come in is refused with its reason, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lab.errors import Code, InvalidArgument, LabError
from lab.v1.checkpoint_pb2 import CHECKPOINT_KIND_PEEK
from lab.v1.checkpoint_service_pb2 import (
    DeleteCheckpointRequest,
    EndOfCheckpoint,
    FileChunk,
    GetCheckpointRequest,
    ListCheckpointsRequest,
    VerifyCheckpointRequest,
    WriteCheckpointRequest,
)
from services.checkpoint.shelf.layout import Layout
from tests.support.checkpoint_service import (
    NAME,
    checkpoint_service,
    checkpoint_stub,
    parts,
    safetensors,
    stored,
    write,
)
from tests.support.waiting import until

FILES = {"model.safetensors": safetensors(bytes(1000)), "config.json": b"{}"}

if TYPE_CHECKING:
    from lab.v1.checkpoint_service_pb2_grpc import CheckpointServiceAsyncStub as Stub

Parts = list[WriteCheckpointRequest]


def _edited(change: Callable[[Parts], object]) -> Parts:
    sent = parts(FILES)
    change(sent)
    return sent


def _chunk(file: str, offset: int, data: bytes) -> WriteCheckpointRequest:
    return WriteCheckpointRequest(chunk=FileChunk(file=file, offset=offset, data=data))


def _set(sent: Parts, field: str, value: object) -> None:
    setattr(sent[0].header, field, value)


def _set_file(sent: Parts, field: str, value: object) -> None:
    setattr(sent[0].header.files[0], field, value)


REFUSED: dict[str, tuple[Callable[[Parts], object], Code, str]] = {
    "no header": (lambda sent: sent.pop(0), Code.INVALID_ARGUMENT, "header: must come first"),
    "nothing at all": (lambda sent: sent.clear(), Code.INVALID_ARGUMENT, "must come first"),
    "two headers": (lambda sent: sent.insert(1, sent[0]), Code.INVALID_ARGUMENT, "once"),
    "an empty part": (
        lambda sent: sent.insert(1, WriteCheckpointRequest()),
        Code.INVALID_ARGUMENT,
        "must be a header, a chunk or the end",
    ),
    "no end": (lambda sent: sent.pop(), Code.INVALID_ARGUMENT, "end: is missing"),
    "early end": (
        lambda sent: sent.pop(-2),
        Code.INVALID_ARGUMENT,
        "2 bytes of config.json were missing",
    ),
    "a gap": (
        lambda sent: sent.__setitem__(1, _chunk("model.safetensors", 1, b"x")),
        Code.INVALID_ARGUMENT,
        "offset: must be 0, but is 1",
    ),
    "wrong order": (lambda sent: sent.reverse(), Code.INVALID_ARGUMENT, "must come first"),
    "another file": (
        lambda sent: sent.__setitem__(1, _chunk("config.json", 0, b"{}")),
        Code.INVALID_ARGUMENT,
        "chunk.file: must be model.safetensors",
    ),
    "too many bytes": (
        lambda sent: sent.__setitem__(1, _chunk("model.safetensors", 0, bytes(5000))),
        Code.INVALID_ARGUMENT,
        "goes past the",
    ),
    "bytes after the last": (
        lambda sent: sent.insert(-1, _chunk("config.json", 2, b"x")),
        Code.INVALID_ARGUMENT,
        "after the last byte",
    ),
    "an empty chunk": (
        lambda sent: sent.insert(1, _chunk("model.safetensors", 0, b"")),
        Code.INVALID_ARGUMENT,
        "must be 1 to 1048576 bytes",
    ),
    "a chunk above 1 MiB": (
        lambda sent: sent.insert(1, _chunk("model.safetensors", 0, bytes((1 << 20) + 1))),
        Code.INVALID_ARGUMENT,
        "must be 1 to 1048576 bytes",
    ),
    "other bytes than announced": (
        lambda sent: sent.__setitem__(-2, _chunk("config.json", 0, b"[]")),
        Code.DATA_LOSS,
        "config.json arrived with SHA-256",
    ),
    "another digest than announced": (
        lambda sent: _set(sent, "digest", "0" * 64),
        Code.DATA_LOSS,
        "but the header says",
    ),
    "a digest that is none": (
        lambda sent: _set(sent, "digest", "abc"),
        Code.INVALID_ARGUMENT,
        "digest: must be a SHA-256",
    ),
    "no files": (
        lambda sent: sent[0].header.ClearField("files"),
        Code.INVALID_ARGUMENT,
        "files: must be 1 to 64",
    ),
    "the same file twice": (
        lambda sent: _set_file(sent, "name", "config.json"),
        Code.INVALID_ARGUMENT,
        "must not appear twice",
    ),
    "an empty file": (
        lambda sent: _set_file(sent, "size_bytes", 0),
        Code.INVALID_ARGUMENT,
        "must be at least 1",
    ),
    "a manifest of one's own": (
        lambda sent: _set_file(sent, "name", "manifest.json"),
        Code.INVALID_ARGUMENT,
        "written by the checkpoint service",
    ),
    "the kind of another name": (
        lambda sent: _set(sent, "kind", CHECKPOINT_KIND_PEEK),
        Code.INVALID_ARGUMENT,
        "kind: does not fit",
    ),
    "a megabyte of preset": (
        lambda sent: _set(sent, "preset", "x" * (1 << 20)),
        Code.INVALID_ARGUMENT,
        "at most 262144",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_spoilt_write_is_refused_and_leaves_nothing(
    stub: Stub, tmp_path: Path, case: str
) -> None:
    change, code, reason = REFUSED[case]
    with pytest.raises(LabError) as caught:
        await write(stub, _edited(change))
    assert caught.value.code is code
    assert reason in caught.value.message
    assert stored(tmp_path) == []


FOREIGN_FILES = [
    *("model.pt", "model.bin", "model.pkl", "model.npz", "model.safetensors.pt", "../x.json"),
    *("a/b.json", "/etc/x.json", ".json", "..safetensors", "x.JSON", "x\0.json", "x.json\n"),
    "a" * 70 + ".json",
]


@pytest.mark.parametrize("file", FOREIGN_FILES)
async def test_only_plain_safetensors_and_json_names_come_in(
    stub: Stub, tmp_path: Path, file: str
) -> None:
    with pytest.raises(LabError, match="safetensors only") as caught:
        await write(stub, _edited(lambda sent: _set_file(sent, "name", file)))
    assert [violation.field for violation in caught.value.violations] == ["files[0].name"]
    assert stored(tmp_path) == []


NOT_SAFETENSORS = {
    "pickle": b"\x80\x04\x95\x14\0\0\0\0\0\0\0}\x94\x8c\x07weights\x94]\x94G?\xf0as.",
    "nothing but zeros": bytes(100),
    "shorter than its length field": b"\x10",
    "header longer than the file": (1 << 62).to_bytes(8, "little") + b"{}",
    "cut short": safetensors(bytes(100))[:-1],
    "trailing bytes": safetensors(bytes(100)) + b"x",
    "header is a list": (2).to_bytes(8, "little") + b"[]",
}


@pytest.mark.parametrize(("what", "data"), NOT_SAFETENSORS.items())
async def test_safetensors_is_judged_by_content(
    stub: Stub, tmp_path: Path, what: str, data: bytes
) -> None:
    with pytest.raises(LabError, match=r"model\.safetensors is not a safetensors file") as caught:
        await write(stub, parts({"model.safetensors": data}))
    assert caught.value.code is Code.INVALID_ARGUMENT, what
    assert stored(tmp_path) == []


FOREIGN_NAMES = [
    *("", "runs/x", "runs/../checkpoints/x", "runs/x/checkpoints/..", "runs/x/checkpoints/a/b"),
    *("runs/x/checkpoints/.tmp-1", "runs/X/peek", "/etc", "runs/x\0/peek"),
    "runs/x/checkpoints/a\n",
]


@pytest.mark.parametrize("name", FOREIGN_NAMES)
async def test_a_name_of_another_form_reaches_no_file(
    stub: Stub, tmp_path: Path, name: str
) -> None:
    calls: list[Awaitable[object]] = [
        stub.GetCheckpoint(GetCheckpointRequest(name=name)),
        stub.VerifyCheckpoint(VerifyCheckpointRequest(name=name)),
        stub.DeleteCheckpoint(DeleteCheckpointRequest(name=name)),
        write(stub, parts(FILES, name=name)),
    ]
    for call in calls:
        with pytest.raises(LabError) as caught:
            await call
        assert caught.value.code is Code.INVALID_ARGUMENT
    assert stored(tmp_path) == []


@given(some.text())
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    layout = Layout(Path("/home-of-nobody"))
    for form in (name, f"runs/{name}/peek", f"runs/x/checkpoints/{name}", f"runs/{name}"):
        try:
            folder = layout.destination(form)
        except InvalidArgument:
            continue
        inside = layout.peeks if form.endswith("/peek") else layout.checkpoints
        assert folder.resolve().is_relative_to(inside)
        assert len(folder.relative_to(inside).parts) == 2


async def test_a_linked_folder_is_not_followed(
    stub: Stub,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "step-00000010").mkdir()
    (tmp_path / "checkpoints" / "nano-1").symlink_to(outside)
    with pytest.raises(LabError, match="leads out of the checkpoint folder"):
        await stub.DeleteCheckpoint(DeleteCheckpointRequest(name=NAME))
    with pytest.raises(LabError, match="leads out of the checkpoint folder"):
        await write(stub, parts(FILES))
    assert [path.name for path in outside.iterdir()] == ["step-00000010"]


async def test_a_made_up_page_token_is_refused(stub: Stub) -> None:
    for token in ("x", "!!!!", "AAAA", "é"):
        with pytest.raises(LabError, match="page_token") as caught:
            await stub.ListCheckpoints(ListCheckpointsRequest(page_token=token))
        assert caught.value.code is Code.INVALID_ARGUMENT


async def test_what_does_not_fit_is_refused_before_its_bytes(tmp_path: Path) -> None:
    async with (
        checkpoint_service(tmp_path, max_checkpoint_bytes=100) as address,
        checkpoint_stub(address) as stub,
    ):
        with pytest.raises(LabError, match="at most 100") as caught:
            await write(stub, parts(FILES)[:1])
    assert caught.value.metadata["limit"] == "100"


async def test_a_full_disk_is_refused_before_its_bytes(tmp_path: Path) -> None:
    async with (
        checkpoint_service(tmp_path, free_space_floor_bytes=1 << 60) as address,
        checkpoint_stub(address) as stub,
    ):
        with pytest.raises(LabError, match="only 0 may be used") as caught:
            await write(stub, parts(FILES)[:1])
    assert caught.value.code is Code.RESOURCE_EXHAUSTED
    assert stored(tmp_path) == []


async def test_a_silent_upload_is_given_up_and_frees_its_place(tmp_path: Path) -> None:
    async with (
        checkpoint_service(tmp_path, upload_idle_secs=0.2, max_uploads=1) as address,
        checkpoint_stub(address) as stub,
    ):
        with pytest.raises(LabError, match="given up"):
            await _WaitingUpload(stub).ended()
        assert stored(tmp_path) == []
        await write(stub, parts(FILES))


async def test_more_uploads_than_the_limit_are_refused(tmp_path: Path) -> None:
    async with (
        checkpoint_service(tmp_path, max_uploads=1) as address,
        checkpoint_stub(address) as stub,
    ):
        first = _WaitingUpload(stub)
        await first.begun(tmp_path)
        with pytest.raises(LabError, match="which is the limit") as caught:
            await write(stub, parts(FILES, name="runs/nano-2/peek"))
        assert caught.value.code is Code.RESOURCE_EXHAUSTED
        await first.finish()
        await write(stub, parts(FILES, name="runs/nano-2/peek"))


class _WaitingUpload:
    """An upload that waits after its header until it is told to finish."""

    def __init__(self, stub: Stub) -> None:
        self._go_on = asyncio.Event()
        self._task = asyncio.ensure_future(stub.WriteCheckpoint(self._parts()))

    async def _parts(self) -> AsyncIterator[WriteCheckpointRequest]:
        sent = parts(FILES)
        yield sent[0]
        await self._go_on.wait()
        for part in sent[1:-1]:
            yield part
        yield WriteCheckpointRequest(end=EndOfCheckpoint())

    async def begun(self, home: Path) -> None:
        await until(lambda: any(".tmp-" in path for path in stored(home)))

    async def finish(self) -> None:
        self._go_on.set()
        await self.ended()

    async def ended(self) -> None:
        await self._task
