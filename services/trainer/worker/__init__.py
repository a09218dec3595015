"""The training worker: one process per run that makes the steps. No network, only its link.

Read it in this order: loop, step, optim, batches; then training, precision, memory, evaluate,
sample, state, control, hooks. Several processes: distributed, joining, following. What a GPU or a
compiler adds: graphs, compiling.
"""
