"""How a text is to be written: plain values, checked before they come here."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """The same options give the same text. The defaults change nothing."""

    max_tokens: int
    seed: int
    end_of_text: int
    temperature: float = 1.0
    top_k: int = 0  # 0: all
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    penalty_window: int = 0  # tokens; 0: the whole text
    alternatives: int = 5

    @property
    def penalised(self) -> bool:
        return (self.repetition_penalty, self.presence_penalty, self.frequency_penalty) != (1, 0, 0)


@dataclass(frozen=True)
class Drawn:
    """One token, and the likeliest at its place, best first, with what the model itself thinks:
    natural logarithms of probabilities before any option had its say."""

    token: int
    log_probability: float
    alternatives: list[tuple[int, float]]
