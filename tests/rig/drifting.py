"""A shop whose assistant began to refuse an hour ago, as persist and act would have written it down."""

import math
import random
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from drift_aware.actions import ledger
from drift_aware.schema.alerts import (
    Action,
    ActionKind,
    ActionStatus,
    Alert,
    Contribution,
    Reading,
    Readings,
    Tally,
    Window,
)
from drift_aware.schema.events import Interaction
from drift_aware.sql.store import Connection
from rig.api import Persisted
from rig_events import alert, interaction

MINUTE = 60_000
SPAN = 120
ONSET = 75
SHOP = "app=shop,model=gpt-4o"
OTHERS = ("app=docs,model=gpt-4o", "app=help,model=gpt-4o-mini", "app=search,model=gpt-4o-mini")
# Users write what they like, also to the people who watch.
EVIL = "<img src=x onerror=\"document.title='run'\">"
RECEIPT = {
    "verdict": "helped",
    "metric": "refusal_rate",
    "before": 0.09,
    "after": 0.041,
    "after_low": 0.036,
    "after_high": 0.047,
    "events_before": 4100,
    "events": 5200,
    "e_value": 311.0,
    "cost_usd": 4.2,
}


def fill(persisted: Persisted, connection: Connection, now: int) -> None:
    """Write it down.

    Args:
        persisted: what writes to the database.
        connection: the same database.
        now: milliseconds, the end of the latest pane.
    """
    onset = now - ONSET * MINUTE
    for segment in ("all", SHOP):
        persisted.readings(panes(segment, now, drifts=True))
    calm(persisted, now, OTHERS)
    persisted.events("interaction", list(_refused(onset)))
    alerts = [_refusals(onset, now, segment) for segment in (SHOP, "all")]
    persisted.alerts([*alerts, _second_opinion(onset, now)])
    _act(connection, alerts[0], now)


def calm(persisted: Persisted, now: int, segments: Iterable[str] = ("all", *OTHERS)) -> None:
    """Write down a few minutes of segments in which all is well."""
    for segment in segments:
        persisted.readings(panes(segment, now, drifts=False, span=5))


def panes(segment: str, now: int, *, drifts: bool, span: int = SPAN) -> Iterator[Readings]:
    """A pane for each minute."""
    rng = random.Random(segment)
    for minute in range(span, 0, -1):
        end = now - (minute - 1) * MINUTE
        late = max(0, ONSET - minute) if drifts else 0
        rate = 0.04 + rng.uniform(-0.012, 0.012) + (0.08 if late else 0)
        readings = [
            _reading("refusal_rate", rate, 0.04, 0.02 * math.exp(min(late, 30) / 6) + rng.uniform(0, 0.02)),
            _reading("latency_ms", 420 + rng.uniform(-30, 30), 421.0, rng.uniform(0, 0.1)),
            _reading("toxicity_rate", 0.002 + rng.uniform(-0.002, 0.002), 0.002, rng.uniform(0, 0.05)),
            _reading("cost_usd", 0.0011 + rng.uniform(-1e-4, 1e-4), 0.0011, rng.uniform(0, 0.05)),
        ]
        tallies = {"refusal_rate": Tally(600, 600 * rate, rate=True)}
        yield Readings(
            segment=segment,
            start=end - MINUTE,
            end=end,
            totals={"interaction": 900},
            readings=readings,
            tallies=tallies,
        )


def _reading(metric: str, current: float, baseline: float, score: float) -> Reading:
    return Reading(
        metric=metric,
        detector="shift",
        state="firing" if score >= 1 else "ok",
        events=600,
        current=current,
        baseline_value=baseline,
        score=score,
        threshold=1.0,
        fired=score >= 1,
    )


def _refusals(onset: int, now: int, segment: str) -> Alert:
    place = "all traffic" if segment == "all" else segment
    return alert(
        1,
        id=f"refusals-{'all' if segment == 'all' else 'shop'}",
        severity="critical" if segment == SHOP else "warning",
        detector="shift",
        segment=segment,
        onset=onset,
        ts=now - 2 * MINUTE,
        current=0.12,
        baseline_value=0.04,
        score=1.8,
        threshold=1.0,
        evidence=54.0,
        window=Window(onset, now - 2 * MINUTE, 43_800),
        summary=f"The refusal rate in {place} is at 12.0 %, against 4.0 % in the baseline, "
        "over 43,800 interactions; by chance alone less than once in 54 days.",
        contributions=[Contribution("refused", 1.5), Contribution("answered", 0.3)],
        examples=["refused-0", "refused-1", "refused-2"],
        words=["refund", "parcel", EVIL],
        suggested_actions=["tune", "notify"],
    )


def _second_opinion(onset: int, now: int) -> Alert:
    found = _refusals(onset + 6 * MINUTE, now, SHOP)
    return msgspec.structs.replace(found, id="second", detector="adwin", paging=False, severity="info")


def _refused(onset: int) -> Iterator[Interaction]:
    asked = ("where is my refund?", f"my parcel {EVIL} is lost", None)
    for number, question in enumerate(asked):
        answer = None if question is None else "I am sorry, I cannot help with that."
        yield interaction(
            number,
            id=f"refused-{number}",
            ts=onset + number * MINUTE,
            model="gpt-4o",
            user_query=question,
            model_response=answer,
            refusal=True,
            toxicity=0.0,
            error=None,
        )


def _act(connection: Connection, about: Alert, now: int) -> None:
    before = now - 30 * 60 * MINUTE
    earlier = _action("tune", about, alert_id="of-yesterday", ts=before, severity="warning")
    told = _action("notify", about, reason="told #drift-alerts")
    steps: list[tuple[Action, tuple[ActionStatus, ...]]] = [
        (earlier, ("approved", "running", "succeeded", "verified")),
        (told, ("running", "succeeded")),
        (_action("tune", about), ()),
    ]
    for action, statuses in steps:
        ledger.enter(connection, action, None, expires_hours=72)
        for status in statuses:
            ledger.move(connection, action.id, status, receipt=RECEIPT if status == "verified" else None)


def _action(kind: ActionKind, about: Alert, **fields: Any) -> Action:
    values: dict[str, Any] = {
        "id": f"{kind}-{fields.get('alert_id', about.id)}",
        "revision": 1,
        "action": kind,
        "status": "proposed",
        "alert_id": about.id,
        "segment": about.segment,
        "metric": about.metric,
        "severity": about.severity,
        "ts": about.ts,
        "dry_run": False,
        "reason": "refusal_rate: the answers have changed for the worse; prepare training data",
    }
    return Action(**(values | fields))
