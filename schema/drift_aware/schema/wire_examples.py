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
    Reading,
    Readings,
    Tally,
    Window,
)
from drift_aware.schema.canaries import Canary, Probe
from drift_aware.schema.events import Embedding, Evaluation, Feedback, Interaction
from drift_aware.schema.policies import Policy

_DAY_MS = 24 * 3_600_000
# 2026-03-01 12:00 UTC.
_NOON = 1_772_366_400_000
_SEGMENT = "app=shop,model=gpt-4o"
_ALERT_ID = "8d1e07c2a94b5f6e3d210c7a"

INTERACTION = Interaction(
    id="0195a8b2-7c1e-7d3f-8a4b-5c6d7e8f9a0b",
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
    id="0195a8b2-7c1e-7d3f-8a4b-5c6d7e8f9a0c",
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
    revision=2,
    status="firing",
    severity="critical",
    kind="behavior",
    metric="refusal_rate",
    detector="shift",
    segment=_SEGMENT,
    onset=_NOON - 300_000,
    ts=_NOON,
    current=0.102,
    baseline_value=0.024,
    score=1.2,
    threshold=1.0,
    evidence=37.0,
    window=Window(_NOON - 600_000, _NOON, 420),
    summary="The refusal rate in app=shop,model=gpt-4o is at 10.2 %, against 2.4 % in the baseline, since "
    "2026-03-01 11:55:00 UTC, over 420 interactions; by chance alone less than once in 37 days.",
    contributions=[Contribution("refused", 1.0)],
    examples=[INTERACTION.id],
    suggested_actions=["tune"],
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
    id="5f0c8e4a-2f7d-5c43-9f5e-0c1d2e3f4a5b",
    revision=1,
    action="tune",
    status="proposed",
    alert_id=_ALERT_ID,
    segment=_SEGMENT,
    metric="refusal_rate",
    severity="critical",
    ts=_NOON,
    dry_run=True,
    reason="refusal_rate: the answers have changed for the worse; prepare training data from recent "
    "interactions",
)
POLICY = Policy(
    app="shop",
    version=4,
    moderation_threshold=0.4,
    expires={"moderation_threshold": _NOON + 3 * _DAY_MS},
    reason="toxicity has risen",
    action_id="d3c2b1a0-0f1e-5d2c-9b3a-4a5b6c7d8e9f",
)

CANARY = Canary(
    id="answers",
    round=42,
    ts=_NOON,
    model="gpt-4o",
    reported="gpt-4o-2024-08-06",
    fingerprint="fp_3f58d112f7",
    learned="gpt-4o-2024-08-06",
    probes=[
        Probe(
            name="seventeen",
            digest="c1f29b6e0a3d4875",
            rounds=5,
            answers=["2b51f0a87c3d9e64"],
            latest="2b51f0a87c3d9e64",
        )
    ],
    day=_NOON // _DAY_MS,
    spent_usd=0.0004,
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
    "canary": CANARY,
}
