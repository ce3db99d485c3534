"""The words that an example keeps of a question."""

import re

_WORDS = 12
READ_CHARACTERS = 240
_WORD = re.compile(r"[^\W\d_]{3,20}")
_ASCII_WORD = re.compile(r"[a-z]{3,20}")  # the same in such a text, found sooner


def words_of(text: str) -> str:
    """The first words of a text, lower case, each once, in their order.

    >>> words_of("Where is my order? My order 66 is LATE!")
    'where order late'
    """
    text = text[:READ_CHARACTERS].lower()
    words = (_ASCII_WORD if text.isascii() else _WORD).findall(text)
    return " ".join(list(dict.fromkeys(words))[:_WORDS])
