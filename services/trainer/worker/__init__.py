"""The training worker: one process per run that makes the steps. No network, only its link.

Read it in this order: loop, step, optim, batches; then training, precision, memory, control, hooks;
then what the hooks call: recording (evaluate, sample, health …) and saving (state first). Several
processes: distributed, joining, following. What a GPU or a compiler adds: graphs, compiling.
"""
