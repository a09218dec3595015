"""Where `lab train` keeps the newest checkpoint of a training, and finds it again."""

from __future__ import annotations

import shutil
from pathlib import Path

from lab import folders, manifest
from lab.errors import InvalidArgument, LabError
from lab.spec import ResolvedSpec
from lab.v1 import run_spec_pb2
from lab.v1.checkpoint_pb2 import Checkpoint, CheckpointKind
from lab.v1.run_spec_pb2 import RunSpec
from lab.v1.worker_pb2 import CheckpointStaged


class Kept:
    """One folder; each checkpoint takes the place of the one before."""

    def __init__(self, resolved: ResolvedSpec, out: Path | None) -> None:
        self._resolved = resolved
        self._name = f"{resolved.preset}-{resolved.spec.data.corpus}"
        self.folder = out
        self.step: int | None = None  # of what is there

    def refuse_what_is_there(self) -> None:
        """A new training takes no folder that holds something."""
        if self.folder and self.folder.exists() and not self._empty():
            raise InvalidArgument.field("out", f"{self.folder} is there already; name a new folder")

    def find(self) -> None:
        """What the same training kept there before it was started again, if anything."""
        if self.folder is None:
            return
        for place in (self.folder, self._before()):
            if not place.exists() or (place == self.folder and self._empty()):
                continue
            try:
                checkpoint = manifest.read(place)
            except LabError:
                checkpoint = Checkpoint()
            if not self._adopt(checkpoint.spec):
                raise InvalidArgument.field(
                    "out",
                    f"{place} holds something else than a checkpoint of this spec; "
                    "name a new folder",
                )
            if place != self.folder:  # it ended while one was taking the place of the other
                place.replace(self.folder)
            self.step = checkpoint.step
            return

    def _adopt(self, kept: RunSpec) -> bool:
        """Whether it is ours but for what is settled at the start and for who takes part; then
        what was settled stays so."""
        ours, theirs = RunSpec(), RunSpec()
        ours.CopyFrom(self._resolved.spec)
        theirs.CopyFrom(kept)
        if ours.budget.precision == run_spec_pb2.PRECISION_AUTO:
            ours.budget.precision = theirs.budget.precision
        if ours.budget.compile == run_spec_pb2.COMPILE_AUTO:
            ours.budget.compile = theirs.budget.compile
        theirs.budget.processes = ours.budget.processes
        if ours == theirs:
            self._resolved.spec.CopyFrom(ours)
        return ours == theirs

    def keep(self, staged: CheckpointStaged) -> Path:
        """Makes a staged checkpoint whole and puts it in place of the one before.

        At every moment one of them is whole: where it belongs, or under the name of _before.
        """
        source = Path(staged.folder)
        if self.folder is None:
            self.folder = folders.home() / "trained" / f"{self._name}{source.name[-9:]}"
        manifest.write(source, self._checkpoint(staged, source))
        manifest.unstage(source)  # it is more than that now
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        arriving = self._beside("arriving")
        shutil.rmtree(arriving, ignore_errors=True)  # of a move that was cut off
        shutil.move(source, arriving)  # a copy, where it is another disk
        if self.folder.exists():
            shutil.rmtree(self._before(), ignore_errors=True)
            self.folder.replace(self._before())
        arriving.replace(self.folder)
        shutil.rmtree(self._before(), ignore_errors=True)
        self.step = staged.step
        return self.folder

    def _checkpoint(self, staged: CheckpointStaged, source: Path) -> Checkpoint:
        checkpoint = Checkpoint(
            name=f"{self._name}-step-{staged.step:08d}",
            kind=CheckpointKind.CHECKPOINT_KIND_FULL,
            step=staged.step,
            tokens=staged.tokens,
            spec=self._resolved.spec,
            preset=self._resolved.preset,
        )
        if staged.HasField("loss"):
            checkpoint.loss = staged.loss
        if staged.HasField("validation_loss"):
            checkpoint.validation_loss = staged.validation_loss
        checkpoint.files.extend(staged.files or manifest.describe(source))
        checkpoint.digest = manifest.digest(checkpoint.files)
        checkpoint.size_bytes = sum(file.size_bytes for file in checkpoint.files)
        checkpoint.create_time.GetCurrentTime()
        return checkpoint

    def _empty(self) -> bool:
        assert self.folder is not None
        return self.folder.is_dir() and not any(self.folder.iterdir())

    def _before(self) -> Path:
        return self._beside("before")

    def _beside(self, word: str) -> Path:
        assert self.folder is not None
        return self.folder.with_name(f".{self.folder.name}.{word}")
