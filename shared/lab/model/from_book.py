"""The book's weights as a folder that Hugging Face's GPT-2 opens:

    python -m lab.model.from_book mine.safetensors folder

A program of its own, so that `lab checkpoints import` can have it done without loading torch.
"""

import argparse
import sys
from pathlib import Path

from lab.model.book import load_book_weights
from lab.model.hf import save_pretrained


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lab.model.from_book")
    parser.add_argument("weights", type=Path, help="safetensors, or a folder with such a file")
    parser.add_argument("folder", type=Path, help="is made if it is not there")
    parser.add_argument("--heads", type=int, help="n_heads, where each is not 64 numbers wide")
    given = parser.parse_args()
    try:
        save_pretrained(load_book_weights(given.weights, heads=given.heads), given.folder)
    except (ValueError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
