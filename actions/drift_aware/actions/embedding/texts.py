"""How large texts are, and how they are put into batches."""

from collections.abc import Iterator, Sequence

# English has four bytes to a token, Chinese about three: leans to too many.
_BYTES_PER_TOKEN = 3


def tokens(text: str) -> int:
    """About how many tokens a text has; rather too many than too few.

    >>> tokens("a"), tokens("abcdef")
    (1, 2)
    """
    return max(1, -(-len(text.encode()) // _BYTES_PER_TOKEN))


def tokens_at_most(text: str) -> int:
    """No tokeniser that works on bytes makes more of it; two more may mark its ends."""
    return len(text.encode()) + 2


def batches(texts: Sequence[str], most_texts: int, most_tokens: int) -> Iterator[range]:
    """Stretches of ``texts`` in order, as large as both limits allow; a long text goes alone.

    >>> list(batches(["a", "b", "c" * 30, "d"], most_texts=2, most_tokens=5))
    [range(0, 2), range(2, 3), range(3, 4)]
    """
    first = held = 0
    for place, text in enumerate(texts):
        size = tokens(text)
        if place > first and (place - first == most_texts or held + size > most_tokens):
            yield range(first, place)
            first, held = place, 0
        held += size
    if first < len(texts):
        yield range(first, len(texts))
