"""A second place for checkpoints: a bucket that speaks S3, through fsspec. The same rule as on
disk: what has a manifest is whole, because the manifest is written last.

<prefix>/<run>/<checkpoint>/{model.safetensors, …, manifest.json, marks.json}
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import structlog

from lab import manifest
from lab.errors import Damaged, LabError, NotFound, Unavailable
from lab.limits import MAX_CHUNK_BYTES
from lab.names import checkpoint_ids, run_name
from lab.v1.checkpoint_pb2 import Checkpoint
from services.checkpoint.shelf import marks
from services.checkpoint.shelf.verify import faults

_MANY: Final = 10_000  # manifests in one listing; more are left out, which the log says
_CONNECT_SECS: Final = 10
_READ_SECS: Final = 60

log = structlog.get_logger()


class Bucket:
    """Its methods block: call them in threads. Everything a bucket may refuse is a LabError."""

    def __init__(self, url: str, *, endpoint: str) -> None:
        """Credentials come from where every S3 program finds them (AWS_ACCESS_KEY_ID, profiles)."""
        try:
            import s3fs  # optional, and only here
        except ImportError as error:
            raise Unavailable(
                "bucket_url needs s3fs: pip install 'pretraining-lab[bucket]'"
            ) from error
        # Whoever calls tries again, later and visibly; a library's own tries would only add waits.
        config = {
            "connect_timeout": _CONNECT_SECS,
            "read_timeout": _READ_SECS,
            "retries": {"max_attempts": 0},
        }
        self._files: Any = s3fs.S3FileSystem(
            endpoint_url=endpoint or None,
            config_kwargs=config,
            use_listings_cache=False,
            skip_instance_cache=True,  # one of our own, that `close` may close
        )
        self._files.retries = 1
        self._root = url.removeprefix("s3://").rstrip("/")

    def close(self) -> None:
        with contextlib.suppress(Exception):  # nothing depends on a polite goodbye
            self._files.close_session(self._files.loop, self._files.s3)

    def has(self, checkpoint: Checkpoint) -> bool:
        """Whether these very bytes are there, whole."""
        try:
            return self.read(checkpoint.name).digest == checkpoint.digest
        except (NotFound, Damaged):
            return False

    def read(self, name: str) -> Checkpoint:
        """The manifest; raises NotFound."""
        try:
            with _told("read"):
                data = self._files.cat_file(self._path(name, manifest.MANIFEST))
        except FileNotFoundError as error:
            raise NotFound(f"there is no {name} in the bucket", metadata={"name": name}) from error
        return _named(manifest.parsed(data, of=name), name)

    def read_marks(self, name: str) -> Checkpoint:
        """What was said about it here, and nothing else."""
        try:
            with _told("read"):
                data = self._files.cat_file(self._path(name, marks.MARKS), end=marks.MAX_BYTES)
        except FileNotFoundError:
            return Checkpoint()
        return marks.parsed(data, of=name)

    def put_marks(self, folder: Path, name: str) -> None:
        """Those of the folder, if any were ever set and others are there."""
        if (folder / marks.MARKS).is_file() and marks.read(folder) != self.read_marks(name):
            with _told("write"):
                self._files.put_file(str(folder / marks.MARKS), self._path(name, marks.MARKS))

    def all(self, run: str = "") -> list[Checkpoint]:
        """Every checkpoint of `runs/{run}`, or of all when empty, with what was said about it."""
        root = f"{self._root}/{run.removeprefix('runs/')}".rstrip("/")
        with _told("list"):
            try:
                paths = self._files.find(root)
            except FileNotFoundError:
                return []
            wanted = [path for path in paths if path.endswith(f"/{manifest.MANIFEST}")]
            if len(wanted) > _MANY:
                log.warning("too many in the bucket to list all", found=len(wanted), most=_MANY)
            del wanted[_MANY:]
            beside = {
                path: f"{path.removesuffix(manifest.MANIFEST)}{marks.MARKS}" for path in wanted
            }
            marked = sorted(set(paths).intersection(beside.values()))
            texts = self._files.cat(wanted + marked, on_error="omit") if wanted else {}
        found: list[Checkpoint] = []
        for path in wanted:
            run_id, checkpoint_id, _ = path.removeprefix(f"{self._root}/").split("/")
            name = f"{run_name(run_id)}/checkpoints/{checkpoint_id}"
            with contextlib.suppress(LabError):  # what cannot be trusted is not listed
                checkpoint = _named(manifest.parsed(texts.get(path, b""), of=name), name)
                said = texts.get(beside[path])
                found.append(
                    checkpoint
                    if said is None
                    else marks.lay(checkpoint, marks.parsed(said, of=name))
                )
        return found

    def put(self, folder: Path, checkpoint: Checkpoint, *, copied: Callable[[int], None]) -> None:
        """Copies it, manifest last. Raises Damaged rather than to copy what is not whole."""
        if damage := faults(folder, checkpoint.name):
            raise Damaged(f"not copied, because it is damaged: {damage[0]}")
        done_bytes = 0
        with _told("write"):
            with contextlib.suppress(FileNotFoundError):  # of other bytes under this name
                self._files.rm_file(self._path(checkpoint.name, manifest.MANIFEST))
            for file in checkpoint.files:
                target = self._path(checkpoint.name, file.name)
                self._files.put_file(str(folder / file.name), target)
                if (size := self._files.info(target)["size"]) != file.size_bytes:
                    raise Damaged(f"{file.name} arrived in the bucket with {size} bytes")
                done_bytes += file.size_bytes
                copied(done_bytes)
            self._files.put_file(
                str(folder / manifest.MANIFEST), self._path(checkpoint.name, manifest.MANIFEST)
            )

    def pieces(self, name: str, file: str) -> Iterator[bytes]:
        """The bytes of one file, in order."""
        with _told("read"):
            try:
                with self._files.open(self._path(name, file), "rb") as source:
                    while data := source.read(MAX_CHUNK_BYTES):
                        yield data
            except FileNotFoundError as error:
                raise Damaged(f"{name} lacks {file} in the bucket") from error

    def _path(self, name: str, file: str) -> str:
        run, checkpoint = checkpoint_ids(name)
        return f"{self._root}/{run}/{checkpoint}/{file}"


def _named(checkpoint: Checkpoint, name: str) -> Checkpoint:
    if checkpoint.name != name:
        raise Damaged(f"the {manifest.MANIFEST} of {name} in the bucket is of {checkpoint.name}")
    return checkpoint


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """What goes wrong, without addresses; the log has the rest."""
    try:
        yield
    except (LabError, FileNotFoundError) as error:
        if what == "write" and isinstance(error, FileNotFoundError):
            raise Unavailable("there is no such bucket; make it, or change bucket_url") from error
        raise
    except PermissionError as error:
        log.warning("bucket refused", to=what, detail=str(error))
        raise Unavailable(
            f"the bucket does not let the lab {what}: check its credentials"
        ) from error
    except Exception as error:
        log.warning("bucket failed", to=what, detail=str(error))
        raise Unavailable(
            f"the bucket could not be used to {what}: {type(error).__name__}"
        ) from error
