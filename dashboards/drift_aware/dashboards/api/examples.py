"""Examples in the OpenAPI document, made of the types themselves, so that they cannot be wrong."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec

from drift_aware.actions.ledger import Entry
from drift_aware.actions.steps import Step
from drift_aware.dashboards.api.answers import (
    ActionPage,
    AlertPage,
    AlertWithActions,
    EventPage,
    Health,
    InteractionEvent,
    Metrics,
    Ready,
    Segment,
    Segments,
)
from drift_aware.dashboards.check import DayMetrics, DriftCheck, Span
from drift_aware.dashboards.live.atlas import Cluster, EmbeddingMap, Fitted
from drift_aware.dashboards.live.changes import Versions
from drift_aware.dashboards.live.evidence import AlertStory, Evidence, Example
from drift_aware.dashboards.live.overview import Budget, May, Overview, Throughput
from drift_aware.dashboards.live.segments import SegmentNow
from drift_aware.dashboards.live.series import (
    ActionMark,
    AlertMark,
    DetectorSeries,
    MetricSeries,
    Series,
    Warming,
)
from drift_aware.dashboards.overview import DriftSummary, SegmentSummary
from drift_aware.schema.alerts import Action, ActionStatus
from drift_aware.schema.wire_examples import ACTION, ALERT
from drift_aware.streams.comparison import Measure

_NOON = 1_772_366_400_000
_SEGMENT = "app=shop,model=gpt-4o"
_REQUESTED = Action(
    id="c1a7d9b0-3e5f-5b21-8c64-7d8e9f0a1b2c",
    revision=1,
    action="tune",
    status="proposed",
    alert_id="request/0b1c2d3e-4f50-5a6b-8c7d-9e0f1a2b3c4d",
    segment="all",
    metric="by_hand",
    severity="info",
    ts=_NOON,
    dry_run=True,
    reason="asked for by ops: refusals rose after the prompt of Monday",
)
_ENTERED = datetime(2026, 3, 1, 12, tzinfo=UTC)
ENTRY = Entry(
    action=ACTION,
    alert=ALERT,
    claimed_by="host:7:0f3a9c1e",
    published_revision=1,
    created_at=_ENTERED,
    updated_at=_ENTERED,
    auto=True,
    expires_at=_ENTERED + timedelta(hours=72),
    approved_by=None,
    approved_at=None,
    lease_until=None,
    cost_usd=0.0,
    undone_at=None,
)
_LATER = _ENTERED + timedelta(minutes=5)
_STEP = Step(
    step="upload",
    status="done",
    key="9d0c3f52-6b1e-5f43-8d27-3c4b5a697887",
    result={"file_id": "file-7"},
    cost_usd=0.0,
    worker="host:7:0f3a9c1e",
    settled_by="ops",
    started_at=_ENTERED,
    ended_at=_LATER,
)


def _answered(status: ActionStatus, revision: int, reason: str, **more: Any) -> Entry:
    action = msgspec.structs.replace(ACTION, status=status, revision=revision, reason=reason, dry_run=False)
    return replace(ENTRY, action=action, updated_at=_LATER, **more)


APPROVED = _answered("approved", 2, "approved by ops: before Monday", approved_by="ops", approved_at=_LATER)
REJECTED = _answered("rejected", 2, "rejected by ops: the prompt is to blame")
SETTLED = _answered(
    "running", 5, "ops says that upload was done", approved_by="ops", approved_at=_ENTERED, steps=[_STEP]
)
ROLLED_BACK = _answered(
    "rolled_back",
    7,
    "rolled back by ops: the model before answers again",
    approved_by="ops",
    approved_at=_ENTERED,
    undone_at=_LATER,
    steps=[_STEP],
)
REQUESTED = replace(ENTRY, action=_REQUESTED, alert=None, published_revision=0, auto=False)
ALERTS = AlertPage([ALERT], f"{ALERT.onset}-{ALERT.id}")
ACTIONS = ActionPage([ACTION], None)
ALERT_WITH_ACTIONS = AlertWithActions(ALERT, [ACTION])
EVENTS = EventPage(
    [
        InteractionEvent(
            id="0195a8b2-7c1e-7d3f-8a4b-5c6d7e8f9a0b",
            ts=_NOON,
            app="shop",
            model="gpt-4o",
            user_query="where is my order?",
            model_response="on its way",
            refusal=False,
            latency_ms=412.5,
        )
    ],
    f"{_NOON}-3-15512-7",
)
SEGMENTS = Segments([Segment(_SEGMENT, {"interaction": 1200, "feedback": 80}, "2026-02-20", "2026-03-01", 1)])
HEALTH = Health(alive=True, database=True)
READY = Ready(ready=True)

_REFUSALS = Measure(
    family="interaction",
    metric="refusal_rate",
    kind="behavior",
    state="compared",
    events=8400,
    baseline_events=8120,
    current=0.051,
    baseline=0.024,
    kl=0.011,
    psi=0.02,
    kl_chance=0.001,
    psi_chance=0.002,
    score=0.54,
)
CHECK = DriftCheck(
    segment="all",
    window_days=7,
    current=Span(start=date(2026, 2, 23), end=date(2026, 3, 1), events=8400, families={"interaction": 8400}),
    baseline=Span(
        start=date(2026, 2, 16), end=date(2026, 2, 22), events=8120, families={"interaction": 8120}
    ),
    until=_ENTERED,
    message=None,
    state="compared",
    measures=[_REFUSALS],
    embedding_score=None,
    behavior_score=0.54,
    operational_score=0.1,
    accuracy_score=None,
    combined=0.31,
    overall_score=0.31,
    accuracy=None,
    baseline_accuracy=None,
    severity="info",
)
METRICS = Metrics(
    "all",
    [
        DayMetrics(
            day=date(2026, 3, 1),
            events={"interaction": 1190},
            values={"refusal_rate": 0.051},
            state="compared",
            accuracy=None,
            embedding_score=None,
            behavior_score=0.54,
            operational_score=0.1,
            accuracy_score=None,
            overall_score=0.31,
            severity="info",
        )
    ],
)
SUMMARY = DriftSummary(
    today=date(2026, 3, 1),
    segments=[
        SegmentSummary(
            segment="all",
            open_alerts={"critical": 1},
            latest_day=date(2026, 3, 1),
            values={"refusal_rate": 0.051},
            events_today={"interaction": 1190},
            events_week={"interaction": 8400},
            readings_until=_ENTERED,
            readings={"ok": 11, "firing": 1},
            firing=["refusal_rate"],
        )
    ],
)
OVERVIEW = Overview(
    now=_NOON + 32_000,
    release="0.1.0",
    may=May(read=True, act=False),
    dry_run=True,
    require_approval=True,
    seen_until=_NOON,
    throughput=Throughput(events_per_second=12.4, lag_seconds=32.0),
    budget=Budget(
        promised_days=30.0,
        per_week=7 / 30,
        raised=1,
        text="At most one false alarm in 30 days is promised; 1 alarm was raised in the last seven days.",
    ),
    segments=[SegmentNow(_SEGMENT, "drifting", 1, "critical", ALERT.onset, 420, _NOON, None)],
    firing=[ALERT],
    waiting=[ACTION],
    latest_actions=[ACTION],
)
SERIES = Series(
    segment=_SEGMENT,
    start=_NOON - 86_400_000,
    end=_NOON,
    width=290_000,
    metrics=[
        MetricSeries(
            metric="refusal_rate",
            unit="share",
            lower_is_better=True,
            times=[_NOON - 580_000, _NOON - 290_000],
            current=[0.03, 0.102],
            baseline=[0.024, 0.024],
            low=[0.011, 0.011],
            high=[0.051, 0.051],
            detectors=[DetectorSeries("shift", None, True, [0.002, 1.2], [1.0, 1.0], [0, 1])],
        )
    ],
    warming_up=[Warming("embedding/query/small/384", "warming up 1200/3000")],
    alerts=[
        AlertMark(ALERT.id, "refusal_rate", "shift", "critical", "firing", True, ALERT.onset, ALERT.ts, None)
    ],
    actions=[ActionMark(ACTION.id, "tune", "proposed", _NOON, "refusal_rate")],
)
ALERT_STORY = AlertStory(
    alert=ALERT,
    actions=[ACTION],
    evidence=Evidence(
        [_NOON - 580_000, _NOON - 290_000], [0.002, 1.2], [1.0, 1.0], [0.03, 0.102], [0.024, 0.024]
    ),
    examples=[
        Example(
            id=ALERT.examples[0],
            ts=_NOON,
            prompt="where is my order?",
            response="I cannot help with that.",
            withheld=False,
            app="shop",
            model="gpt-4o",
            prompt_version=None,
            intent="status",
            refused=True,
            toxicity=0.01,
            failed=False,
            latency_ms=412.5,
        )
    ],
)
VERSIONS = Versions(alerts=-81120937, actions=402118230, panes=_NOON)
MAP = EmbeddingMap(
    segment="all",
    family="embedding/query/small/384",
    families=["embedding/query/small/384"],
    baseline=Fitted("1f0c9a3e", _NOON - 86_400_000, _NOON - 80_000_000, 3000),
    clusters=[Cluster("cluster 0", 3, -0.21, 0.08, 0.11, 0.4, 0.25, ["order", "parcel"])],
    points=[(-0.2, 0.11, 0), (0.34, 0.02, 1)],
    far=0.12,
    explained=0.41,
)
