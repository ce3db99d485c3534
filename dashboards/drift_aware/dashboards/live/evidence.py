"""One alert: what its detector saw around the onset, and the interactions that show it."""

from datetime import timedelta
from typing import Any

import msgspec
from msgspec import Struct
from psycopg.rows import dict_row

from drift_aware.dashboards.api import record
from drift_aware.dashboards.live.series import Numbers, Stretches
from drift_aware.schema.alerts import Action, Alert
from drift_aware.schema.settings import Settings
from drift_aware.sql.cells import moment
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection
from drift_aware.streams.budget import on_budget

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_POINTS = 300
_MOST_EXAMPLES = 10
# More of an example nobody reads on a page.
SHOWN_CHARACTERS = 500
# An alert that has been open for weeks is looked at where it began.
_LONGEST_MS = 2 * _DAY_MS


class Evidence(Struct):
    """What the detector of an alert saw of its metric around the onset, at most 300 points.

    Attributes:
        times: event-time milliseconds at which each stretch begins.
        score: the largest of each; it fires above ``threshold``.
        current, baseline: of the metric, in its own unit.
    """

    times: list[int]
    score: Numbers
    threshold: Numbers
    current: Numbers
    baseline: Numbers


class Example(Struct):
    """An interaction that shows a drift.

    Attributes:
        prompt, response: their first 500 characters.
        withheld: whether neither is stored, because texts are not kept or somebody is forgotten.
    """

    id: str
    ts: int
    prompt: str | None
    response: str | None
    withheld: bool
    app: str | None
    model: str | None
    prompt_version: str | None
    intent: str | None
    refused: bool | None
    toxicity: float | None
    failed: bool | None
    latency_ms: float | None


class AlertStory(Struct):
    """An alert, what it has led to, what its detector saw, and interactions that show it."""

    alert: Alert
    actions: list[Action]
    evidence: Evidence
    examples: list[Example]


def story(connection: Connection, settings: Settings, alert_id: str) -> AlertStory:
    """Read it.

    Raises:
        NotFound: there is no such alert.
    """
    found = record.alert(connection, alert_id)
    return AlertStory(
        alert=found.alert,
        actions=found.actions,
        evidence=_evidence(connection, settings, found.alert),
        examples=_examples(connection, found.alert),
    )


def around(alert: Alert) -> tuple[int, int]:
    """From when to when its readings are shown: as long before the onset as after it, an hour at least."""
    after = min(max(alert.ts - alert.onset, _HOUR_MS), _LONGEST_MS)
    return alert.onset - after, alert.onset + after


def _evidence(connection: Connection, settings: Settings, alert: Alert) -> Evidence:
    begin, end = around(alert)
    cut = Stretches.before(end, end - begin, _POINTS, 1000 * settings.pane_seconds)
    asked = {
        "segment": alert.segment,
        "metric": alert.metric,
        "detector": alert.detector,
        # Of a detector on the budget the channel is the one that leads, now this and then that.
        "channel": None if alert.detector in on_budget(settings.limits) else alert.channel,
        "since": moment(cut.begin),
        "until": moment(cut.end),
        "width": timedelta(milliseconds=cut.width),
    }
    rows = connection.execute(QUERIES["live_evidence"], asked).fetchall()
    return Evidence(
        times=[row[0] for row in rows],
        score=[row[1] for row in rows],
        threshold=[row[2] for row in rows],
        current=[row[3] for row in rows],
        baseline=[row[4] for row in rows],
    )


def _examples(connection: Connection, alert: Alert) -> list[Example]:
    """In the order of the alert, which names the most telling first; those that are not kept are left out."""
    ids = alert.examples[:_MOST_EXAMPLES]
    asked: dict[str, Any] = {
        "ids": ids,
        "characters": SHOWN_CHARACTERS,
        # They were in the window of one of the alert's revisions: it is enough to look at some days.
        "since": moment(min(alert.onset, alert.window.start) - _DAY_MS),
        "until": moment(alert.ts + _DAY_MS),
    }
    with connection.cursor(row_factory=dict_row) as cursor:
        found = {row["id"]: row for row in cursor.execute(QUERIES["live_examples"], asked)}
    return [msgspec.convert(found[each], Example) for each in ids if each in found]
