"""How many numbers a model of some shape learns, and where they are, without building it."""

from lab.v1.preflight_pb2 import ParameterPart
from lab.v1.run_spec_pb2 import ModelSpec


def parameter_parts(model: ModelSpec) -> list[ParameterPart]:
    """The parts in the order in which a token passes them. With width C and hidden width F:

    | part            | matrices                                | numbers                      |
    |-----------------|-----------------------------------------|------------------------------|
    | token embedding | a vector for each of V ids              | V C                          |
    | positions       | a vector for each of T places           | T C                          |
    | attention       | to Q, K, V; back from the joined heads  | L (C 3C + 3C + C C + C)      |
    | feed-forward    | up, down                                | L (C F + F + F C + C)        |
    | norms           | two in each block, one after the last   | L 2 (2C) + 2C                |
    | output head     | a vector for each of V ids, or none     | V C, or 0 when it is tied    |
    """
    layers, width = model.layers, model.width
    hidden = model.ffn_multiple * width
    attention = (width * 3 * width + 3 * width) + (width * width + width)
    feed_forward = (width * hidden + hidden) + (hidden * width + width)
    norms = 2 * 2 * width
    head = 0 if model.tied else model.vocab_size * width
    return [
        ParameterPart(name="token embedding", parameters=model.vocab_size * width),
        ParameterPart(name="positions", parameters=model.context * width),
        ParameterPart(name="attention", parameters=layers * attention, per_block=attention),
        ParameterPart(
            name="feed-forward", parameters=layers * feed_forward, per_block=feed_forward
        ),
        ParameterPart(name="norms", parameters=layers * norms + 2 * width, per_block=norms),
        ParameterPart(name="output head", parameters=head),
    ]


def count_parameters(model: ModelSpec) -> int:
    """Trainable parameters, each counted once: a tied head adds nothing."""
    return sum(part.parameters for part in parameter_parts(model))
