"""How the tokens of a batch are cut for the head and the loss (lab.model.loss).

A constant, so that equal runs have equal bits. Small chunks need little memory, but for each the
head's weight is read and its gradient (V, C) added to, and large ones gain no more. Measured on a
core with AMX, head and loss of 2,048 tokens in torch, bf16, in ms:

| width | 256 | 512 | 1,024 | 2,048 |
|-------|-----|-----|-------|-------|
| 160   | 319 | 292 | 300   | 277   |
| 512   | 748 | 576 | 535   | 540   |
| 768   | 977 | 749 | 703   | 747   |

With the kernels a whole step of nano takes 319, 286 and 286 ms of two cores with 512, 1,024 and
2,048. In fp32 the sizes differ by less than 10 %.
"""

CHUNK_TOKENS = 1024
