"""Which trainer may write in a data folder: the last that said so.

Counted in one file of the folder. A trainer takes its claim before it writes anything, and looks
inside every transaction on any file whether a newer one was taken. So one that was suspended while
another took over adds not one row, to the files of runs at rest no more than to any other.
"""

from pathlib import Path
from typing import Final, cast

import apsw

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS writer_claim (
  only INTEGER PRIMARY KEY CHECK (only = 1), token INTEGER NOT NULL) STRICT;
"""
_TAKE: Final = (
    "INSERT INTO writer_claim VALUES (1, 1) "
    "ON CONFLICT (only) DO UPDATE SET token = token + 1 RETURNING token"
)


class Superseded(Exception):
    """Another trainer has claimed the folder of this one. Nothing was written."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"another trainer has taken over this data folder ({folder.name}); "
            "this one ends, and what it did since is not recorded"
        )


class Claim:
    """Used by the writer's thread alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: apsw.Connection | None = None
        self._token: int | None = None  # ours, once it was taken

    def hold(self) -> None:
        """Takes the claim, the first time; on disk when this returns."""
        if self._token is None:
            connection = self._opened()
            with connection:
                [row] = connection.execute(_TAKE).fetchall()
            self._token = cast(int, row[0])

    def check(self) -> None:
        """Raises Superseded when a newer claim was taken.

        To be asked inside a transaction that has its file locked already. Whoever takes over
        claims first and then waits for that lock: either it finds what the transaction wrote, or
        the transaction finds the claim.
        """
        [row] = self._opened().execute("SELECT token FROM writer_claim").fetchall()
        if row[0] != self._token:
            raise Superseded(self._path.parent)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _opened(self) -> apsw.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = apsw.Connection(str(self._path))
            self._connection.set_busy_timeout(5_000)
            self._connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
            self._connection.execute(SCHEMA)
        return self._connection
