"""All randomness of a run, derived from its seed and from where in the run it is needed.

There is no generator that lives for the whole run, so none has to be saved: step 500 draws the same
numbers whether the run came there in one go or was resumed at step 499, and drawing a sample
cannot disturb the training.
"""

import hashlib


def derive(seed: int, *what: int | str) -> int:
    """A seed for one use, as in derive(seed, "dropout", step). Below 2^63, for torch."""
    text = "/".join(str(part) for part in (seed, *what))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
