"""The LLM Pretraining Lab: contracts, model, client."""

__version__ = "0.1.0"
