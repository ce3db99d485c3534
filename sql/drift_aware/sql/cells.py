"""Values as Postgres can hold them. What has to be changed on the way is counted in a tally."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np
from pgvector import HalfVector

from drift_aware.schema.errors import BadEvent

# Longer than any prompt that fits a context window of today; what is longer is an attack or a mistake.
MAX_TEXT_CHARACTERS = 100_000
# Names and ids stand in indexes, whose entries end at 2,704 bytes.
MAX_NAME_CHARACTERS = 500
MAX_BIGINT = 2**63 - 1

Change = Literal["nul_removed", "clipped", "out_of_range"]
Tally = Counter[Change]

_LITTLE_ENDIAN: Mapping[str, np.dtype[Any]] = {"float16": np.dtype("<f2"), "float32": np.dtype("<f4")}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def text(value: str | None, tally: Tally, limit: int = MAX_TEXT_CHARACTERS) -> str | None:
    r"""A text without NUL characters, which Postgres cannot hold, and of at most ``limit`` characters.

    >>> text("a\x00b", tally := Tally()), tally["nul_removed"]
    ('ab', 1)
    """
    if value is None:
        return None
    if "\x00" in value:
        value = value.replace("\x00", "")
        tally["nul_removed"] += 1
    if len(value) > limit:
        value = value[:limit]
        tally["clipped"] += 1
    return value


def name(value: str | None, tally: Tally) -> str | None:
    """A text that may stand in an index."""
    return text(value, tally, MAX_NAME_CHARACTERS)


def integer(value: int | None, tally: Tally) -> int | None:
    """A number that fits bigint, else None."""
    if value is None or -MAX_BIGINT <= value <= MAX_BIGINT:
        return value
    tally["out_of_range"] += 1
    return None


def document(value: Any, tally: Tally) -> Any:
    """The same JSON value with every text in it, keys too, as ``text`` gives it."""
    if isinstance(value, str):
        return text(value, tally)
    if isinstance(value, Mapping):
        return {text(key, tally): document(item, tally) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [document(item, tally) for item in value]
    return value


def moment(milliseconds: int) -> datetime:
    """The UTC time.

    Raises:
        BadEvent: ``bad_timestamp``, beyond the year 9999 or before the year 1.
    """
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        raise BadEvent("bad_timestamp", f"{milliseconds} is not a time before the year 10000") from None


def half_vector(vector: bytes, dtype: Literal["float16", "float32"]) -> HalfVector:
    """A vector as Postgres stores it.

    Args:
        vector: little-endian numbers.
        dtype: their width.

    Raises:
        BadEvent: ``not_finite``, if a number is not finite or too large for float16 (65,504).
    """
    half = np.frombuffer(vector, _LITTLE_ENDIAN[dtype])
    if dtype == "float32":
        with np.errstate(over="ignore"):
            half = half.astype("<f2")
    if not np.isfinite(half).all():
        raise BadEvent("not_finite", "the vector holds numbers that are not finite or beyond float16")
    return HalfVector(half)
