"""Where in a text something stands that must not leave."""

from collections.abc import Callable, Iterable
from typing import NamedTuple


class Span(NamedTuple):
    """Characters ``start`` up to ``end`` of a text, and what they are."""

    start: int
    end: int
    kind: str


Finder = Callable[[str], Iterable[Span]]


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same characters as spans that do not touch one another's, from left to right.

    Of those that overlap the longest says what the whole is: to drop the others would leave their ends.

    >>> merged([Span(4, 9, "phone"), Span(0, 5, "email"), Span(12, 13, "ip")])
    [Span(start=0, end=9, kind='email'), Span(start=12, end=13, kind='ip')]
    """
    found: list[Span] = []
    longest = 0
    for span in sorted(spans):
        length = span.end - span.start
        if found and span.start < found[-1].end:
            kind = span.kind if length > longest else found[-1].kind
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end), kind)
            longest = max(longest, length)
        else:
            found.append(span)
            longest = length
    return found
