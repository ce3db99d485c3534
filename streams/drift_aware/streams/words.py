"""The words that an example keeps of a question."""

import re

_WORDS = 12
_READ_CHARACTERS = 240
_WORD = re.compile(r"[^\W\d_]{3,20}")


def words_of(text: str | None) -> str:
    """The first words of a text, lower case, each once, in their order.

    >>> words_of("Where is my order? My order 66 is LATE!")
    'where order late'
    """
    if not text:
        return ""
    return " ".join(list(dict.fromkeys(_WORD.findall(text[:_READ_CHARACTERS].lower())))[:_WORDS])
