"""Which part of the traffic an event belongs to.

A segment's name spells out its dimensions, as in ``app=shop,model=gpt-4o``, so that it reads well in an
alert, a metric label and a URL. The whole of the traffic is the segment ``all``.
"""

from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import quote

from drift_aware.schema.events import Event

ALL = "all"
OTHER = "other"
DIMENSIONS = ("app", "model", "prompt_version", "tenant")
# What may stand in a value as it is; the rest, above all "," and "=", is percent-encoded.
_PLAIN = " ./:@+()[]"


def segment(event: Event, dimensions: Sequence[str]) -> str | None:
    """The name of the event's segment, or None if it has none of the dimensions (it counts in ``all`` only).

    >>> from drift_aware.schema.events import Interaction
    >>> segment(Interaction(id="1", ts=0, app="shop", model="a,b"), ["app", "tenant", "model"])
    'app=shop,model=a%2Cb'
    """
    return _named(tuple(dimensions), tuple([getattr(event, dimension) for dimension in dimensions]))


@lru_cache(maxsize=20_000)
def _named(dimensions: tuple[str, ...], values: tuple[str | None, ...]) -> str | None:
    parts = [
        f"{dimension}={quote(value, safe=_PLAIN)}"
        for dimension, value in zip(dimensions, values, strict=True)
        if value is not None
    ]
    return ",".join(parts) or None
