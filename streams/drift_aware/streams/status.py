"""The totals of every segment, as the worker's table has them."""

from collections import Counter, defaultdict

from drift_aware.schema.segments import ALL
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import PANES_TABLE, changelog
from drift_aware.streams.reader import read_all
from drift_aware.streams.source import TOTAL, totals_row

Totals = dict[str, dict[str, int]]
_ALWAYS = (*TOTAL.values(), "refusals", "toxic", "errors", "late", "dead_letters")


def totals(settings: Settings) -> Totals:
    """Segment to name to count, since the beginning; exact as of the worker's last write.

    Raises:
        Unreachable: the broker does not answer.
    """
    return add_up(read_all(settings, changelog(PANES_TABLE).name))


def add_up(rows: dict[bytes, bytes | None]) -> Totals:
    """The totals in the rows of the table: each source partition has its own, and they are summed."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    found[ALL].update(dict.fromkeys(_ALWAYS, 0))
    for key, value in rows.items():
        segment, is_total = _segment_of(key)
        if value is not None and is_total:
            found[segment].update(totals_row(value).counts)
    for counts in found.values():
        for name in _ALWAYS:
            counts.setdefault(name, 0)
    return {segment: dict(sorted(found[segment].items())) for segment in sorted(found)}


def _segment_of(key: bytes) -> tuple[str, bool]:
    parts = key.decode().split("|")
    return parts[2], len(parts) == 4 and parts[1] != "@" and parts[3] == ""
