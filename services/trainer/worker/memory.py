"""How the worker's process gets its memory from the system. Call it before torch is imported.

A step allocates and frees the same arrays as the step before. By default the C library gives much
of that back to the system each time, which clears it page by page before handing it out again.
Kept, and in pages of 2 MB instead of 4 KB, it makes a step of nano 8 % faster (measured, bf16).
"""

import os

from lab.memory import keep_freed_memory

_KEEP_BYTES = 1 << 30


def keep_memory() -> None:
    """Changes nothing where the C library or the system knows no such thing."""
    os.putenv("THP_MEM_ALLOC_ENABLE", "1")  # torch asks for large pages; it looks only once
    keep_freed_memory(most_bytes=_KEEP_BYTES)
