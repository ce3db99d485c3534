from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift_aware.actions.policy import Decision, Past, action_id, decide
from drift_aware.schema.alerts import ActionKind, Alert, AlertKind, AlertStatus, Severity
from drift_aware.schema.settings import Actions
from rig_events import NOON, alert

HOUR = 3_600_000
DEFAULT = Actions()
KINDS: tuple[ActionKind, ...] = get_args(ActionKind)


def decided(one: Alert, settings: Actions, last: dict[ActionKind, int]) -> list[Decision]:
    return decide(one, settings, {kind: Past(last=at) for kind, at in last.items()})


def proposed(one: Alert, settings: Actions = DEFAULT, last: dict[ActionKind, int] | None = None) -> list[str]:
    return [d.action for d in decided(one, settings, last or {}) if d.status == "proposed"]


@pytest.mark.parametrize(
    ("kind", "metric", "expected"),
    [
        ("embedding", "embedding_cosine", ["reindex", "notify"]),
        ("behavior", "refusal_rate", ["tune", "notify"]),
        ("accuracy", "accuracy", ["tune", "notify"]),
        ("accuracy", "score", ["tune", "notify"]),
        ("behavior", "feedback_score", ["tune", "notify"]),
        ("behavior", "toxicity_rate", ["safety", "notify"]),
        ("behavior", "intent", ["notify"]),
        ("operational", "error_rate", ["notify"]),
    ],
)
def test_each_kind_of_drift_has_its_remedy(kind: Any, metric: str, expected: list[str]) -> None:
    assert proposed(alert(1, kind=kind, metric=metric)) == expected


def test_what_the_alert_suggests_is_proposed_too() -> None:
    assert proposed(alert(1, metric="intent", suggested_actions=["reindex"])) == ["reindex", "notify"]


@pytest.mark.parametrize("fields", [{"status": "resolved"}, {"status": "retracted"}, {"paging": False}])
def test_only_firing_and_paging_alerts_lead_to_anything(fields: dict[str, Any]) -> None:
    assert decide(alert(1, **fields), DEFAULT, {}) == []


def test_information_is_worth_a_message_and_no_work() -> None:
    tune, notify = decide(alert(1, severity="info"), DEFAULT, {})
    assert (tune.action, tune.status, tune.reason) == ("tune", "withheld", "severity info is below warning")
    assert (notify.action, notify.status) == ("notify", "proposed")


def test_with_auto_trigger_off_people_are_still_told() -> None:
    tune, notify = decide(alert(1), Actions(auto_trigger=False), {})
    assert (tune.status, tune.reason) == ("withheld", "the setting actions.auto_trigger is off")
    assert notify.status == "proposed"


@pytest.mark.parametrize(
    ("hours", "expected"), [(0, "withheld"), (167.99, "withheld"), (168, "proposed"), (-5, "withheld")]
)
def test_a_cooldown_ends_to_the_millisecond(hours: float, expected: str) -> None:
    tune, notify = decided(alert(1), DEFAULT, {"tune": NOON - round(hours * HOUR)})
    assert tune.status == expected
    assert notify.status == "proposed"


def test_the_reason_for_a_cooldown_is_in_words() -> None:
    tune, _ = decided(alert(1), DEFAULT, {"tune": NOON - 12 * HOUR})
    assert tune.reason == (
        "the last tune of this segment is 12.0 h ago, the setting actions.cooldown_hours is 168"
    )


def test_a_cooldown_holds_for_its_own_kind_only() -> None:
    assert proposed(alert(1), last={"reindex": NOON, "safety": NOON, "notify": NOON}) == ["tune", "notify"]


alerts = st.builds(
    alert,
    st.integers(0, 100),
    status=st.sampled_from(get_args(AlertStatus)),
    severity=st.sampled_from(get_args(Severity)),
    kind=st.sampled_from(get_args(AlertKind)),
    metric=st.sampled_from(["refusal_rate", "toxicity_rate", "embedding_cosine", "accuracy", "x"]),
    paging=st.booleans(),
    suggested_actions=st.lists(st.sampled_from(KINDS)),
)
settings = st.builds(
    Actions, auto_trigger=st.booleans(), cooldown_hours=st.floats(0, 1000), dry_run=st.booleans()
)
pasts = st.dictionaries(st.sampled_from(KINDS), st.integers(NOON - 10**10, NOON + 10**10))


@given(alerts, settings, pasts)
def test_every_decision_is_made_once_and_has_a_reason(
    one: Alert, how: Actions, last: dict[ActionKind, int]
) -> None:
    decisions = decided(one, how, last)
    kinds = [decision.action for decision in decisions]
    assert len(kinds) == len(set(kinds))
    assert all(decision.reason for decision in decisions)
    assert decisions == decided(one, how, last)
    assert bool(decisions) == (one.status == "firing" and one.paging)
    if decisions:
        assert decisions[-1].action == "notify"
        assert decisions[-1].status == "proposed"


@given(alerts, pasts, st.floats(0, 1000), st.floats(0, 1000))
def test_a_longer_cooldown_never_proposes_more(
    one: Alert, last: dict[ActionKind, int], a: float, b: float
) -> None:
    shorter, longer = Actions(cooldown_hours=min(a, b)), Actions(cooldown_hours=max(a, b))
    assert set(proposed(one, longer, last)) <= set(proposed(one, shorter, last))


@given(st.text(), st.text())
def test_ids_are_the_same_everywhere_and_differ_by_alert_and_kind(a: str, b: str) -> None:
    assert (action_id(a, "tune") == action_id(b, "tune")) == (a == b)
    assert len({action_id(a, kind) for kind in KINDS}) == len(KINDS)


def test_an_id_never_changes_between_releases() -> None:
    assert action_id("a1", "tune") == "00e6ff89-04aa-555c-adf2-08e5842d014d"
