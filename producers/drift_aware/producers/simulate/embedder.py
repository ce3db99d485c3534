"""An embedder that needs no model: hashed words and letters. Its name says what it is.

Texts that share words come out near each other, which is all that a simulation of a change of topic needs.
It knows no synonyms and is not meant for anything else.
"""

import re
import struct
from functools import lru_cache
from zlib import crc32

_WORD = re.compile(r"[a-z0-9']+")
_GRAM = 3
_GRAM_WEIGHT = 0.3
_SHORT_WORD_WEIGHT = 0.25  # "how", "do", "a": in every topic
_SHORT = 4


class TextHashEmbedder:
    """Signed feature hashing of words and of three-letter pieces, to unit length.

    Args:
        dim: how many numbers; features fall into ``dim`` buckets, so a small one mixes them more.

    Source: Weinberger et al., Feature Hashing for Large Scale Multitask Learning, ICML 2009.

    >>> embedder = TextHashEmbedder(64)
    >>> embedder.name, len(embedder.embed("hello")) // 2
    ('text-hash-64', 64)
    """

    def __init__(self, dim: int = 64) -> None:
        self.dim = dim
        self.name = f"text-hash-{dim}"
        self._features = lru_cache(maxsize=20_000)(self._word_features)

    def embed(self, text: str) -> bytes:
        """The vector as ``dim`` little-endian float16 numbers; zeros for a text without words."""
        vector = [0.0] * self.dim
        for word in _WORD.findall(text.lower()):
            for bucket, weight in self._features(word):
                vector[bucket] += weight
        norm = sum(value * value for value in vector) ** 0.5 or 1.0
        return struct.pack(f"<{self.dim}e", *[value / norm for value in vector])

    def _word_features(self, word: str) -> tuple[tuple[int, float], ...]:
        weight = 1.0 if len(word) >= _SHORT else _SHORT_WORD_WEIGHT
        padded = f"<{word}>"
        grams = [padded[i : i + _GRAM] for i in range(len(padded) - _GRAM + 1)]
        return (
            self._feature(word, weight),
            *(self._feature(gram, weight * _GRAM_WEIGHT) for gram in grams),
        )

    def _feature(self, text: str, weight: float) -> tuple[int, float]:
        number = crc32(text.encode())
        return number % self.dim, weight if number >> 31 else -weight
