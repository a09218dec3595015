"""Where checkpoints are on disk, and which folders count.

checkpoints/<run>/<checkpoint>/      visible once it is there: it gets its name by a rename
peeks/<run>/<number>/                the highest number counts; a rename cannot replace a folder
{checkpoints,peeks}/.tmp-…           a write under way, or left over from a crash
checkpoints/.trash/…                 deleted, see trash.py
"""

import secrets
from collections.abc import Iterator
from pathlib import Path

from lab.errors import InvalidArgument, NotFound
from lab.names import checkpoint_ids, run_id, run_name

TEMPORARY = ".tmp-"  # no id begins with a dot, so nothing of this name is ever listed
_NUMBER_DIGITS = 12


class Layout:
    """Names to folders and back. Knows nothing about what is in them."""

    def __init__(self, home: Path) -> None:
        self.checkpoints = home / "checkpoints"
        self.peeks = home / "peeks"

    def prepare(self) -> None:
        for root in (self.checkpoints, self.peeks):
            root.mkdir(parents=True, exist_ok=True)

    def root(self, name: str) -> Path:
        _, checkpoint = checkpoint_ids(name)
        return self.peeks if checkpoint is None else self.checkpoints

    def is_peek(self, name: str) -> bool:
        return self.root(name) == self.peeks

    def temporary(self, name: str) -> Path:
        """A new folder name on the same disk as the place of `name`, so that a rename is atomic."""
        return self.root(name) / f"{TEMPORARY}{secrets.token_hex(8)}"

    def find(self, name: str) -> Path:
        """The folder that `name` stands for now; raises NotFound."""
        folder = self._current(name)
        if folder is None:
            raise NotFound(f"there is no {name}", metadata={"name": name})
        return folder

    def find_checkpoint(self, name: str) -> Path:
        """As `find`, but refuses a peek, which nobody can keep."""
        if self.is_peek(name):
            raise InvalidArgument.field(
                "name", f"{name} is a peek, which is replaced each time; save a checkpoint instead"
            )
        return self.find(name)

    def destination(self, name: str) -> Path:
        """The folder that a commit of `name` becomes."""
        run, checkpoint = checkpoint_ids(name)
        if checkpoint is not None:
            return self._inside(self.checkpoints / run / checkpoint, name)
        last = max((int(folder.name) for folder in self._numbered(run)), default=0)
        return self._inside(self.peeks / run / f"{last + 1:0{_NUMBER_DIGITS}}", name)

    def replaced(self, name: str) -> list[Path]:
        """The folders of a peek that a newer one has taken the place of."""
        run, checkpoint = checkpoint_ids(name)
        return self._numbered(run)[:-1] if checkpoint is None else []

    def peek_folders(self, name: str) -> list[Path]:
        run, _ = checkpoint_ids(name)
        return self._numbered(run)

    def listed(self, run: str) -> Iterator[tuple[str, Path]]:
        """(name, folder) of every checkpoint of `runs/{run}`, or of all when `run` is empty."""
        if run:
            runs = [self.checkpoints / run_id(run)]
        else:
            runs = [folder for folder in _folders(self.checkpoints) if _is_id(folder.name)]
        for run_folder in runs:
            for folder in _folders(run_folder):
                name = f"{run_name(run_folder.name)}/checkpoints/{folder.name}"
                if _is_id(folder.name):
                    yield name, folder

    def leftovers(self) -> list[Path]:
        """What a crash left behind: unfinished writes and deletes, and replaced peeks."""
        temporary = [
            folder
            for root in (self.checkpoints, self.peeks)
            for folder in _folders(root)
            if folder.name.startswith(TEMPORARY)
        ]
        replaced = [
            folder
            for run in _folders(self.peeks)
            if _is_id(run.name)
            for folder in self._numbered(run.name)[:-1]
        ]
        return temporary + replaced

    def _current(self, name: str) -> Path | None:
        run, checkpoint = checkpoint_ids(name)
        if checkpoint is None:
            return next(reversed(self._numbered(run)), None)
        folder = self._inside(self.checkpoints / run / checkpoint, name)
        return folder if folder.is_dir() else None

    def _numbered(self, run: str) -> list[Path]:
        folder = self._inside(self.peeks / run, run)
        return sorted(path for path in _folders(folder) if path.name.isdecimal())

    def _inside(self, path: Path, name: str) -> Path:
        """`path`; refuses one that a symbolic link leads out of the lab's folder."""
        root = self.peeks if path.is_relative_to(self.peeks) else self.checkpoints
        if not path.resolve().is_relative_to(root.resolve()):
            raise InvalidArgument.field("name", f"{name} leads out of the checkpoint folder")
        return path


def _folders(parent: Path) -> list[Path]:
    """Real folders in `parent`, by name; links are not followed. None when there is no parent."""
    try:
        return sorted(path for path in parent.iterdir() if path.is_dir() and not path.is_symlink())
    except FileNotFoundError:
        return []


def _is_id(text: str) -> bool:
    try:
        run_name(text)
    except InvalidArgument:
        return False
    return True
