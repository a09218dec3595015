"""What the C library does with memory that is free again.

By default it gives an array of more than 128 KB back to the system at once, which has to find and
clear every page of the next one. Programs that use the same sizes again and again do better to
keep it.
"""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # from glibc's malloc.h


def keep_freed_memory(*, most_bytes: int) -> None:
    """Keeps up to so much for what comes next. Changes nothing where the C library is another."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, most_bytes)
        mallopt(_M_MMAP_THRESHOLD, most_bytes)
