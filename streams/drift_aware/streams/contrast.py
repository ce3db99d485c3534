"""Which words stand out in some texts against others."""

import math
from collections import Counter
from collections.abc import Sequence

WORDS = 8
_LEAST = 3  # texts that must hold a word
_STRIKING = 3.0  # standard errors


def contrast_words(current: Sequence[str], background: Sequence[str]) -> list[str]:
    """The words that stand out most, most striking first.

    A word's score is its log odds ratio, half a text added on every side, over its standard error (Haldane
    1956; as used for word lists by Monroe, Colaresi and Quinn 2008, https://doi.org/10.1093/pan/mpn018).

    Args:
        current: texts, each as its different words with blanks between.
        background: texts to set them against.

    >>> contrast_words(["card stolen help"] * 9 + ["pay bill"] * 2, ["pay bill"] * 40)
    ['card', 'help', 'stolen']
    """
    now, then = _counted(current), _counted(background)
    scores = {
        word: _score(count, len(current), then[word], len(background))
        for word, count in now.items()
        if count >= _LEAST
    }
    striking = [word for word, score in scores.items() if score >= _STRIKING]
    return sorted(striking, key=lambda word: (-scores[word], word))[:WORDS]


def _counted(texts: Sequence[str]) -> Counter[str]:
    return Counter(word for text in texts for word in text.split())


def _score(hits: int, of: int, hits_then: int, of_then: int) -> float:
    cells = [hits + 0.5, of - hits + 0.5, hits_then + 0.5, of_then - hits_then + 0.5]
    odds = math.log(cells[0] / cells[1]) - math.log(cells[2] / cells[3])
    return odds / math.sqrt(sum(1 / cell for cell in cells))
