"""How insulting an answer reads, from 0 to 1, without asking anybody.

The weights are those of alt-profanity-check 1.9.1 (``toxicity.npz``, under the licence in
``toxicity.LICENSE``), and the score is its ``predict_prob``: tf-idf over 15,442 words, five linear
classifiers, each with a sigmoid of its own, and their mean. It knows English words and nothing of
context: watch how the score moves over many answers, do not judge one answer by it.
"""

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drift_aware.streams.labels.vocabulary import Numbers, Vocabulary

# Longer answers are cut. Reading on changes little, and costs as much again for every 1,000 characters.
CHARACTERS = 1000

Floats = NDArray[np.float64]

_CHUNK = 64  # so many answers at a time stay in the processor's cache
_NUMBER_BITS = 14  # of a word's number
_NO_WORD_BEYOND_ASCII = re.compile(r"[^\w\x00-\x7f]+")
_FOLD = bytes(
    byte if byte >= 128 or byte == ord("_") else ord(chr(byte).lower() if chr(byte).isalnum() else " ")
    for byte in range(256)
)


class Weights(NamedTuple):
    """The model's numbers. Word 0 is none, and weighs nothing.

    Attributes:
        vocabulary: which word has which number.
        squares: of the inverse document frequencies, shape (words + 1,).
        slopes: inverse document frequency times weight, shape (5, words + 1).
        intercepts: shape (5, 1), as are ``a`` and ``b`` of the sigmoids 1 / (1 + exp(a·x + b)).
    """

    vocabulary: Vocabulary
    squares: Floats
    slopes: Floats
    intercepts: Floats
    a: Floats
    b: Floats


@cache
def weights() -> Weights:
    """The shipped model, read once."""
    with (files(__package__) / "toxicity.npz").open("rb") as file, np.load(file) as stored:
        words = stored["words"].tobytes().split(b"\n")
        idf, slopes, *columns = (
            stored[name].astype(np.float64) for name in ("idf", "weights", "intercepts", "a", "b")
        )
    intercepts, a, b = (column[:, None] for column in columns)
    squares, slopes = (
        np.concatenate([np.zeros((*each.shape[:-1], 1)), each], -1) for each in (idf**2, slopes * idf)
    )
    return Weights(Vocabulary(words), squares, slopes, intercepts, a, b)


def toxicities(answers: Sequence[str]) -> list[float]:
    """The score of each answer's first CHARACTERS; in a batch of 50 it costs a tenth of one by one."""
    chunks = (answers[begin : begin + _CHUNK] for begin in range(0, len(answers), _CHUNK))
    return [score for chunk in chunks for score in _scores(chunk).tolist()]


def _scores(answers: Sequence[str]) -> Floats:
    model, size = weights(), len(answers)
    row, word, times = _counts(*model.vocabulary.find([_folded(answer) for answer in answers]))
    length = np.sqrt(np.bincount(row, times**2 * model.squares.take(word), size))
    sums = np.stack([np.bincount(row, times * slope.take(word), size) for slope in model.slopes])
    x = sums / np.where(length > 0, length, 1.0) + model.intercepts
    return np.asarray((1 / (1 + np.exp(model.a * x + model.b))).mean(0))


def _counts(rows: Numbers, words: Numbers) -> tuple[Numbers, Numbers, Floats]:
    """Each pair of answer and word once, and how often it occurs."""
    pairs = np.sort(rows << _NUMBER_BITS | words)
    first = np.flatnonzero(np.diff(pairs, prepend=-1))
    times = np.diff(first, append=len(pairs))
    pairs = pairs[first]
    return pairs >> _NUMBER_BITS, pairs & (1 << _NUMBER_BITS) - 1, times.astype(np.float64)


def _folded(answer: str) -> bytes:
    r"""The first characters in lower case, in UTF-8; what ``\w`` does not match becomes a blank."""
    text = answer[:CHARACTERS]
    if not text.isascii():
        text = _NO_WORD_BEYOND_ASCII.sub(" ", text.lower())
    return text.encode().translate(_FOLD)
