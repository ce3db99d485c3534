"""Where a page ends, as the cursor that asks for the next one: pure.

A cursor is what the last row was sorted by, none of which ever changes; so no row comes twice and none is
left out, whatever is written between two pages. Every text of the right form is a place, whether or not
there is a row.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Up to 2·10^14 ms, in the year 8307, and what fits Postgres' integer and bigint.
EVENT_CURSOR = r"^[01]?[0-9]{1,14}-[0-9]{1,9}-[0-9]{1,18}-[0-9]{1,9}$"
ALERT_CURSOR = r"^[01]?[0-9]{1,14}-[^\x00]{1,500}$"
ACTION_CURSOR = r"^[01]?[0-9]{1,17}-[^\x00]{1,500}$"


@dataclass(frozen=True, slots=True)
class EventPlace:
    """The time of an event and where in Kafka it came from.

    >>> EventPlace.read("1772366400000-3-15512-7").cursor()
    '1772366400000-3-15512-7'
    """

    ms: int
    partition: int
    offset: int
    index: int

    @classmethod
    def read(cls, cursor: str) -> "EventPlace":
        """The place a text of the form EVENT_CURSOR stands for."""
        return cls(*map(int, cursor.split("-")))

    def cursor(self) -> str:
        """The text for it."""
        return f"{self.ms}-{self.partition}-{self.offset}-{self.index}"

    @property
    def time(self) -> datetime:
        """The time, UTC."""
        return _EPOCH + timedelta(milliseconds=self.ms)


@dataclass(frozen=True, slots=True)
class EntryPlace:
    """A time, in whatever part of a second it is kept, and an id.

    >>> EntryPlace.read("1772366400000-a1-b", timedelta(milliseconds=1)).time.isoformat()
    '2026-03-01T12:00:00+00:00'
    """

    time: datetime
    id: str

    @classmethod
    def read(cls, cursor: str, unit: timedelta) -> "EntryPlace":
        """The place a text of the form ALERT_CURSOR or ACTION_CURSOR stands for."""
        count, _, identity = cursor.partition("-")
        return cls(_EPOCH + int(count) * unit, identity)
