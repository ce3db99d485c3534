"""What has been told where: rows of ``notification``.

Each alert has one row for a channel. That of the alert which came first holds the message; the others name it
as their ``lead``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from drift_aware.actions import ledger
from drift_aware.actions.executors.notify.channel import Handle
from drift_aware.actions.executors.notify.story import Story, family
from drift_aware.schema.alerts import Alert
from drift_aware.sql.cells import moment
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection

State = Literal["waiting", "quiet", "sent", "withheld", "over"]

# Receipts come days after an action; later than this nobody reads a message again.
FOLLOWED_DAYS = 14


@dataclass(frozen=True, slots=True)
class Place:
    """Where an alert stands on a channel.

    Attributes:
        lead: the alert whose row holds the message.
        state: of the alert's own row.
        handle: of the message, once it has been sent.
        age_seconds: since the alert was first to be told here.
        looked_at: the time before anything about it is read.
    """

    lead: str
    state: State
    handle: dict[str, Any] | None
    age_seconds: float
    looked_at: datetime


@dataclass(frozen=True, slots=True)
class Stale:
    """A message of which something may have changed.

    Attributes:
        alert_id: its lead.
        handle: None if it has not been sent.
        told: the channel's digest of what was told last.
        failures: how often in a row it could not be brought up to date.
    """

    alert_id: str
    channel: str
    state: State
    handle: dict[str, Any] | None
    told: list[Any] | None
    failures: int
    claimed_at: datetime


def place(connection: Connection, channel: str, alert: Alert, seconds: float) -> Place:
    """Make an alert part of a message, and with it those of the same drift that are about to be told.

    Args:
        connection: in autocommit mode.
        channel: the name.
        alert: as the action has it.
        seconds: how far apart, by event time, alerts of one message may be.
    """
    with connection.transaction():
        connection.execute(QUERIES["lock_notifications"], {"channel": channel})
        _join(connection, channel, alert, seconds)
        found = _find(connection, channel, alert.id)
        assert found is not None
        if found.lead == alert.id:
            for other in _soon(connection, alert, seconds):
                _join(connection, channel, other, seconds)
        return found


def sent(connection: Connection, channel: str, alert_id: str) -> Handle | None:
    """The message of an alert on a channel; None if it has not been sent, as far as is known."""
    found = _find(connection, channel, alert_id)
    return found.handle or {} if found is not None and found.state == "sent" else None


def age_seconds(connection: Connection, channel: str, alert_id: str) -> float:
    """Since when an alert is to be told on a channel; 0 if nobody has tried."""
    found = _find(connection, channel, alert_id)
    return found.age_seconds if found is not None else 0.0


def story(
    connection: Connection, channel: str, lead: str, page_url: str | None, known: Sequence[Alert]
) -> Story:
    """What a message tells now.

    Args:
        connection: to the record.
        channel: the name.
        lead: the alert whose row holds the message.
        page_url: as in the settings.
        known: alerts that the record may not have.
    """
    rows = connection.execute(QUERIES["notified_alerts"], {"lead": lead, "channel": channel})
    found = {alert.id: alert for alert in (msgspec.convert(row[0], Alert) for row in rows)}
    alerts = {alert.id: alert for alert in known} | found
    actions = [
        action
        for alert_id in alerts
        for action in ledger.of_alert(connection, alert_id)
        if action.action != "notify" and action.status != "withheld"
    ]
    return Story(lead=lead, alerts=list(alerts.values()), actions=actions, page_url=page_url)


def posts(connection: Connection, channel: str) -> int:
    """Messages of the last hour."""
    row = connection.execute(QUERIES["count_posts"], {"channel": channel}).fetchone()
    assert row is not None
    return int(row[0])


def withheld(connection: Connection, channel: str) -> dict[str, str]:
    """What the limit kept back and nobody was told of: alert id to summary."""
    return dict(connection.execute(QUERIES["withheld_notifications"], {"channel": channel}).fetchall())


def tell(
    connection: Connection,
    channel: str,
    lead: str,
    handle: Handle,
    digest: list[object],
    looked_at: datetime,
    *,
    edited: bool = False,
) -> None:
    """Note that a message stands as it was told.

    Args:
        connection: in a transaction, if more is noted with it.
        channel: the name.
        lead: the alert whose row holds the message.
        handle: of the message.
        digest: of the story, by the channel.
        looked_at: what has changed since may have to be told.
        edited: whether it was only changed, which counts against no limit.
    """
    if not edited:
        connection.execute(QUERIES["note_post"], {"channel": channel})
    given = {"alert_id": lead, "channel": channel, "state": "sent", "looked_at": looked_at}
    connection.execute(
        QUERIES["told_notification"], given | {"handle": Jsonb(dict(handle)), "told": Jsonb(digest)}
    )


def told_withheld(connection: Connection, channel: str, alert_ids: Sequence[str]) -> None:
    """Note that a message has named them."""
    connection.execute(QUERIES["withheld_told"], {"channel": channel, "alert_ids": list(alert_ids)})


def mark(connection: Connection, channel: str, alert_id: str, state: State) -> None:
    """Note why nothing is sent."""
    connection.execute(
        QUERIES["set_notification"], {"alert_id": alert_id, "channel": channel, "state": state}
    )


def claim_stale(connection: Connection, channels: Sequence[str]) -> Stale | None:
    """A message of which something may have changed; for two minutes no other process has it."""
    given = {"channels": list(channels), "days": FOLLOWED_DAYS}
    with connection.cursor(row_factory=class_row(Stale)) as cursor:
        return cursor.execute(QUERIES["claim_notification"], given).fetchone()


def put_off(connection: Connection, stale: Stale, seconds: float, failures: int = 0) -> None:
    """Look at a message again later.

    Args:
        connection: in autocommit mode.
        stale: the message.
        seconds: until then.
        failures: how often in a row something was against it; 0 if there is nothing to tell.
    """
    row: Mapping[str, object] = {
        "alert_id": stale.alert_id,
        "channel": stale.channel,
        "seconds": seconds,
        "failures": failures,
        "looked_at": stale.claimed_at,
    }
    connection.execute(QUERIES["put_off_notification"], row)


def _find(connection: Connection, channel: str, alert_id: str) -> Place | None:
    with connection.cursor(row_factory=class_row(Place)) as cursor:
        given = {"alert_id": alert_id, "channel": channel}
        return cursor.execute(QUERIES["find_notification"], given).fetchone()


def _join(connection: Connection, channel: str, alert: Alert, seconds: float) -> None:
    given = {"alert_id": alert.id, "channel": channel, "family": family(alert), "ts": moment(alert.ts)}
    connection.execute(QUERIES["join_notification"], given | {"seconds": seconds})


def _soon(connection: Connection, alert: Alert, seconds: float) -> list[Alert]:
    given = {"alert_id": alert.id, "ts": moment(alert.ts), "seconds": seconds}
    rows = connection.execute(QUERIES["alerts_to_notify"], given)
    others = [msgspec.convert(row[0], Alert) for row in rows]
    return [other for other in others if family(other) == family(alert)]
