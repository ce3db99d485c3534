"""One event of every type on the wire, as the documents show them.

They belong to one story: a shop changes its prompt, refusals rise, an action is proposed.
"""

from collections.abc import Mapping

from msgspec import Struct

from drift_aware.schema.alerts import (
    Action,
    Alert,
    Baseline,
    Contribution,
    DaySums,
    Effect,
    Reading,
    Readings,
    Tally,
    Window,
)
from drift_aware.schema.events import Embedding, Evaluation, Feedback, Interaction
from drift_aware.schema.policies import Policy

_DAY_MS = 24 * 3_600_000
# 2026-03-02 12:00 UTC.
_NOON = 1_772_452_800_000
_SEGMENT = "app=shop,model=gpt-4o"
_ALERT_ID = "6f2b1c54-8a57-5b6e-9a0e-3d1f2b7c4e90"

INTERACTION = Interaction(
    id="0195569a-5c00-7d2e-9b1a-0c5d3e7f8a21",
    ts=_NOON,
    app="shop",
    model="gpt-4o",
    session_id="s-1842",
    turn=1,
    user_query="Where is my parcel?",
    model_response="It left our warehouse this morning.",
    latency_ms=840.0,
    input_tokens=212,
    output_tokens=31,
    cost_usd=0.0011,
)
EMBEDDING = Embedding(
    id="0195569a-5c00-7d2e-9b1a-0c5d3e7f8a22",
    ts=_NOON,
    interaction_id=INTERACTION.id,
    model="all-MiniLM-L6-v2",
    vector=[0.6, 0.0, -0.8],
    app="shop",
    session_id="s-1842",
)
FEEDBACK = Feedback(
    interaction_id=INTERACTION.id, ts=_NOON, thumbs="up", app="shop", model="gpt-4o", session_id="s-1842"
)
EVALUATION = Evaluation(
    eval_set="returns", run_id="nightly-61", ts=_NOON, expected="14 days", predicted="14 days", app="shop"
)
READINGS = Readings(
    segment=_SEGMENT,
    start=_NOON,
    end=_NOON + 10_000,
    totals={"interaction": 40},
    readings=[
        Reading(
            metric="refusal_rate",
            detector="shift",
            state="firing",
            events=40,
            current=0.1,
            baseline_value=0.024,
            score=3.2,
            threshold=1.0,
            evidence=96.0,
            fired=True,
            onset=_NOON - 60_000,
        )
    ],
    tallies={"refusal_rate": Tally(events=38, total=4.0, rate=True)},
)
ALERT = Alert(
    id=_ALERT_ID,
    revision=1,
    status="firing",
    severity="critical",
    kind="behavior",
    metric="refusal_rate",
    detector="shift",
    segment=_SEGMENT,
    onset=_NOON - 60_000,
    ts=_NOON + 10_000,
    current=0.1,
    baseline_value=0.024,
    score=3.2,
    threshold=1.0,
    window=Window(_NOON - 60_000, _NOON + 10_000, 280),
    summary="The refusal rate in app=shop,model=gpt-4o is at 10.0 %, against 2.4 % in the baseline.",
    evidence=96.0,
    contributions=[Contribution("refusal", 3.2)],
    examples=[INTERACTION.id],
    suggested_actions=["tune", "notify"],
)
BASELINE = Baseline(
    id="b7d1e0c2",
    segment=_SEGMENT,
    family="embedding/query/all-MiniLM-L6-v2/384",
    policy="first",
    created=_NOON,
    events=3000,
    since=_NOON - _DAY_MS,
    until=_NOON,
    offsets={"drift.embeddings.v1": {"0": (0, 412)}},
    labeller="",
    seed=1,
    summary=b"\x80",
)
DAY_SUMS = DaySums(
    segment=_SEGMENT,
    family="interaction",
    day=_NOON - _DAY_MS // 2,
    until=_NOON,
    events=18_204,
    sums=b"\x80",
)
ACTION = Action(
    id="9b0d5f3e-4c1a-5e7d-8f60-2a1b3c4d5e6f",
    revision=1,
    action="tune",
    status="proposed",
    alert_id=_ALERT_ID,
    segment=_SEGMENT,
    metric="refusal_rate",
    severity="critical",
    ts=_NOON + 10_000,
    dry_run=False,
    reason="refusal_rate: the answers have changed for the worse",
    expected=Effect("refusal_rate", "down", 0.1, 0.062, _NOON + 7 * _DAY_MS),
)
POLICY = Policy(
    app="shop",
    version=4,
    moderation_threshold=0.4,
    expires={"moderation_threshold": _NOON + 3 * _DAY_MS},
    reason="toxicity has risen",
    action_id="d3c2b1a0-0f1e-5d2c-9b3a-4a5b6c7d8e9f",
)

# By the names of ``json_schemas.WIRE_TYPES``.
EXAMPLES: Mapping[str, Struct] = {
    "interaction": INTERACTION,
    "embedding": EMBEDDING,
    "feedback": FEEDBACK,
    "evaluation": EVALUATION,
    "alert": ALERT,
    "readings": READINGS,
    "baseline": BASELINE,
    "day_sums": DAY_SUMS,
    "action": ACTION,
    "policy": POLICY,
}
