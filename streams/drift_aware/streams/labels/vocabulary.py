"""Find the known words of many texts at once, without making a Python object of each word.

All texts are one buffer of bytes. A word is known by its key: a hash of its first eight bytes, its last
eight and its length, read straight from the buffer. Two tables take a key to the number of a word: each
word lies in one of two places (cuckoo hashing, Pagh and Rodler 2004), so two look-ups decide. A word of 17
bytes or more that differs from a known one in its middle alone is taken for it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_SLOT_BITS = 16
_SLOTS = 1 << _SLOT_BITS
_MOST_WORDS = _SLOTS // 2  # a quarter of the places, so that nobody is moved for long
_BLANK = ord(" ")
_SHORTEST = 2  # a single letter is no word
# A window of eight bytes starts at every byte, also at the last one.
_PADDING = b" " * 9
_FIRST_BYTES = np.array([(1 << 8 * count) - 1 for count in range(9)], np.uint64)
_MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)
_MOST_MOVES = 500

Keys = NDArray[np.uint64]
Numbers = NDArray[np.int64]


class Vocabulary:
    """Words with numbers from 1.

    Args:
        words: distinct, of two bytes or more, without blanks.

    Raises:
        ValueError: there are more words than the tables have room for.
    """

    def __init__(self, words: Sequence[bytes]) -> None:
        if len(words) > _MOST_WORDS:
            raise ValueError(f"{len(words)} words; give at most {_MOST_WORDS}, or make the tables larger")
        _, keys = _keys(b" " + b" ".join(words) + _PADDING)
        # Number 0 is nobody's: what an empty slot holds.
        self._keys = np.concatenate([np.zeros(1, np.uint64), keys])
        self._tables = _tables(self._keys)

    def find(self, texts: Sequence[bytes]) -> tuple[Numbers, Numbers]:
        """Every known word of the texts: which text it is in, from 0, and its number.

        Words are what stands between blanks.
        """
        ends = np.cumsum([1] + [len(text) + 1 for text in texts])
        begins, keys = _keys(b" " + b" ".join(texts) + _PADDING)
        first, second = (table.take(slot) for table, slot in zip(self._tables, _slots(keys), strict=True))
        number = np.where(self._keys.take(first) == keys, first, second).astype(np.int64)
        known = self._keys.take(number) == keys
        found = np.diff(np.searchsorted(begins[known], ends))
        return np.repeat(np.arange(len(texts)), found), number[known]


def _keys(buffer: bytes) -> tuple[Numbers, Keys]:
    """Where words begin, and their keys; a blank stands before the first word and nine after the last."""
    letters = np.frombuffer(buffer, np.uint8)
    word = letters != _BLANK
    edges = np.flatnonzero(word[1:] != word[:-1]) + 1
    begin, length = edges[0::2], edges[1::2] - edges[0::2]
    kept = length >= _SHORTEST
    begin, length = begin[kept], length[kept]
    windows = np.ndarray((len(letters) - 7,), "<u8", buffer, 0, (1,))
    mask = _FIRST_BYTES.take(np.minimum(length, 8))
    key = (windows.take(begin) & mask) * _MIX[0]
    key ^= (windows.take(begin + np.maximum(length - 8, 0)) & mask) * _MIX[1]
    key ^= length.astype(np.uint64) * _MIX[2]
    key ^= key >> np.uint64(32)
    key *= _MIX[0]
    return begin, key


def _slots(keys: Keys) -> tuple[Numbers, Numbers]:
    top = keys >> np.uint64(64 - 2 * _SLOT_BITS)
    return (top >> np.uint64(_SLOT_BITS)).view(np.int64), (top & np.uint64(_SLOTS - 1)).view(np.int64)


def _tables(keys: Keys) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    tables = np.zeros(_SLOTS, np.uint16), np.zeros(_SLOTS, np.uint16)
    slots = _slots(keys)
    for number in range(1, len(keys)):
        homeless, side = number, 0
        for _ in range(_MOST_MOVES):
            slot = slots[side][homeless]
            homeless, tables[side][slot] = int(tables[side][slot]), homeless
            if not homeless:
                break
            side = 1 - side  # whoever lay there moves to its other place
        else:
            raise ValueError("these words do not fit into the tables; make them larger")
    return tables
