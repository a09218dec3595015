"""Questions about the inside of a model, each a pure function of (model, token ids, options).

They know no wire and no service, so that the inference service (any text, any checkpoint) and the
training worker (its probes, while it trains) answer with the same numbers.
"""
