"""How much may be asked for or sent at once. Owners refuse more, and the REST document says so
before."""

from typing import Final

MAX_PAGE: Final = 1_000  # items of a page of any list
MAX_POINTS: Final = 20_000  # of each metric of a run
MAX_FACTS: Final = 10_000
MAX_COLUMNS: Final = 5_000  # steps of a health map
MAX_RECORDS: Final = 1_000  # looks at probe texts
MAX_CHUNK_BYTES: Final = 1 << 20  # of a file of a checkpoint, in one message
MAX_SEQUENCES: Final = 16  # of a batch, as text
