"""Event time as the record knows it."""

from drift_aware.schema.segments import ALL
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection


def seen_until(connection: Connection) -> int | None:
    """Event time up to which panes of the whole traffic are in the record, milliseconds; None without any."""
    row = connection.execute(QUERIES["event_time"], {"segment": ALL}).fetchone()
    return None if row is None else int(row[0])
