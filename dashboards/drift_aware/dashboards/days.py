"""The sums of days as the record keeps them, read and merged."""

from collections import defaultdict
from datetime import date, datetime
from typing import Any

import msgspec
import psycopg

from drift_aware.sql.queries import QUERIES
from drift_aware.streams.summary import Packed, Summary, merge, unpack

Connection = psycopg.Connection[Any]

_packed = msgspec.msgpack.Decoder(Packed).decode


def unpacked(sums: bytes) -> Summary:
    """The sums in a row."""
    return unpack(_packed(sums))


class Days:
    """Some days of one segment.

    Attributes:
        until: day to the event time up to which its events are in it; only days that had any.
    """

    def __init__(self) -> None:
        self.until: dict[date, datetime] = {}
        self._sums: defaultdict[date, dict[str, Summary]] = defaultdict(dict)

    def add(self, day: date, family: str, until: datetime, sums: bytes) -> None:
        """Put in what a family had in a day."""
        self.until[day] = max(until, self.until.get(day, until))
        self._sums[day][family] = unpacked(sums)

    def between(self, first: date, last: date) -> dict[str, Summary]:
        """Family to the sums of some days, both ends included."""
        found: defaultdict[str, list[Summary]] = defaultdict(list)
        for day, families in self._sums.items():
            if first <= day <= last:
                for family, summary in families.items():
                    found[family].append(summary)
        return {family: merge(summaries) for family, summaries in sorted(found.items())}


def read_days(connection: Connection, segment: str, first: date, last: date) -> Days:
    """The days of a segment, both ends included. Reads only that segment's rows."""
    days = Days()
    bounds = {"segment": segment, "first": first, "last": last}
    for day, family, until, sums in connection.execute(QUERIES["days_of_segment"], bounds):
        days.add(day, family, until, sums)
    return days
