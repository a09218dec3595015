"""The shape of a GPT, as a frozen value: all the model code needs to know."""

from dataclasses import dataclass

from lab.v1.run_spec_pb2 import ModelSpec


@dataclass(frozen=True)
class GPTConfig:
    """Sizes of a GPT-2 style network. The letters in brackets are those of the shape comments."""

    layers: int  # (L) transformer blocks, one after the other
    width: int  # (C) numbers per token in the residual stream
    heads: int  # (H) attention heads per block; each sees D = C / H of the numbers
    context: int  # longest sequence, because there is one learned vector per position
    ffn_multiple: int = 4  # hidden width of the feed-forward layer, in units of C
    dropout: float = 0.0  # 0 is right while the model sees its text once or less
    tied: bool = True  # output head and token embedding are one matrix
    vocab_size: int = 50_257  # (V) token ids, those of GPT-2's tokenizer

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")

    @property
    def head_width(self) -> int:
        return self.width // self.heads

    @classmethod
    def from_spec(cls, spec: ModelSpec) -> "GPTConfig":
        """The one place where a protobuf ModelSpec becomes a model's shape."""
        return cls(
            layers=spec.layers,
            width=spec.width,
            heads=spec.heads,
            context=spec.context,
            ffn_multiple=spec.ffn_multiple,
            dropout=spec.dropout,
            tied=spec.tied,
            vocab_size=spec.vocab_size,
        )


# The three sizes of the lab; configs/presets trains them, and a test holds the two together.
GPT_CONFIGS: dict[str, GPTConfig] = {
    "nano": GPTConfig(layers=6, width=160, heads=5, context=256),  # 9.94M parameters
    "small": GPTConfig(layers=8, width=512, heads=8, context=512),  # 51.2M
    "medium": GPTConfig(layers=12, width=768, heads=12, context=1024),  # 124.4M: GPT-2 small
}
