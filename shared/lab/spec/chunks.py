"""How the tokens of a batch are cut for the head and the loss (lab.model.loss)."""


def chunk_tokens(width: int) -> int:
    """Tokens per chunk for a model's width: a constant, so that equal runs have equal bits.

    Small chunks need little memory, but each adds a (V, C) gradient, and that costs more the wider
    the model is. Measured on a core with AMX, head and loss of 2,048 tokens, bf16, in ms:

    | width | 256 | 512 | 1,024 | 2,048 |
    |-------|-----|-----|-------|-------|
    | 160   | 319 | 292 | 300   | 277   |
    | 512   | 748 | 576 | 535   | 540   |
    | 768   | 977 | 749 | 703   | 747   |

    In fp32 the sizes differ by less than 10 %.
    """
    return 512 if width < 512 else 1024
