"""Event time as the record knows it, and as milliseconds."""

from datetime import UTC, datetime, timedelta

from drift_aware.schema.segments import ALL
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(ms: int) -> datetime:
    """The time so many milliseconds after 1970-01-01 UTC.

    >>> moment(1_772_366_400_000).isoformat()
    '2026-03-01T12:00:00+00:00'
    """
    return _EPOCH + timedelta(milliseconds=ms)


def seen_until(connection: Connection) -> int | None:
    """Event time up to which panes of the whole traffic are in the record, milliseconds; None without any."""
    row = connection.execute(QUERIES["event_time"], {"segment": ALL}).fetchone()
    return None if row is None else int(row[0])
