"""How many numbers a model of some shape learns, without building it."""

from lab.v1.run_spec_pb2 import ModelSpec


def count_parameters(model: ModelSpec) -> int:
    """Trainable parameters, each counted once: a tied head adds nothing.

    Per block: two LayerNorms (2d each), the fused Q, K, V projection (d x 3d and 3d biases), the
    projection of the joined heads (d x d and d), and the feed-forward pair (d x f and f, f x d
    and d) with f = ffn_multiple x d.
    """
    width, hidden = model.width, model.ffn_multiple * model.width
    attention = width * 3 * width + 3 * width + width * width + width
    feed_forward = width * hidden + hidden + hidden * width + width
    block = 2 * width + attention + 2 * width + feed_forward
    embeddings = model.vocab_size * width + model.context * width
    head = 0 if model.tied else model.vocab_size * width
    return embeddings + model.layers * block + 2 * width + head
