"""Receipts: what the record says of an action becomes its verdict, in real Postgres."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from psycopg.types.json import Jsonb

from drift_aware.actions import answers, ledger
from drift_aware.actions.carrying import Carrier
from drift_aware.actions.effects import expected_effect
from drift_aware.actions.errors import ActionFailed
from drift_aware.actions.executor import Job, Result
from drift_aware.actions.leases import Claimant
from drift_aware.actions.policy import Decision, action_id
from drift_aware.actions.spending import Spending
from drift_aware.actions.verifying import Verifier, examine
from drift_aware.schema.action_settings import Actions
from drift_aware.schema.alerts import Action, ActionKind, Alert, Effect
from drift_aware.sql import store
from drift_aware.sql.cells import moment
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection
from rig.configuration import make_settings
from rig_events import alert

TUNE = action_id("a1", "tune")
PANE_MS = 60_000
REAL = {"dry_run": False, "require_approval": False, "verify_hours": 2}


class Deploys:
    """An executor whose one step costs money and can be taken back, unless told that it cannot."""

    kind: ActionKind = "tune"
    steps: Sequence[str] = ("deploy",)

    def __init__(self, *, stuck: bool = False) -> None:
        self.undone = 0
        self._stuck = stuck

    def expected(self, alert: Alert) -> Effect | None:
        return expected_effect(alert, Actions(verify_hours=2, verify_days=1))

    def plan(self, job: Job) -> str:
        return "deploy"

    def do(self, step: str, job: Job) -> Result:
        job.spend(2.0, "training")
        job.spent(1.25, "training")
        return {}

    def find(self, step: str, job: Job) -> Result | None:
        return None

    def undo(self, job: Job) -> str:
        self.undone += 1
        if self._stuck:
            raise ActionFailed("the model before is gone")
        return "the model before is back"


class Desk:
    """An action that was carried out an hour of event time after its alert."""

    def __init__(self, connection: Connection, url: str) -> None:
        self.connection, self.url = connection, url
        self.executor = Deploys()

    def carry(self, **fields: Any) -> int:
        """The event time at which it was over."""
        now = int(self.one("SELECT (extract(epoch FROM now()) * 1000)::bigint")) // PANE_MS * PANE_MS
        self.ts = now - 60 * PANE_MS
        told = alert(1, onset=self.ts - 10 * PANE_MS, ts=self.ts, **fields)
        ledger.claim(self.connection, told, Decision("tune", "proposed", "because", auto=True), dry_run=False)
        mine = Claimant("w", "tune", True, 60)
        mine.take(self.connection, TUNE)
        actions = Actions(**REAL)
        carrier = Carrier(
            self.executor, mine, actions, self.connection, lambda: store.connect(self.url, "test")
        )
        assert carrier.carry(TUNE).status == "succeeded"
        return now + PANE_MS

    def panes(self, start: int, number: int, events: int, total: float, **more: Any) -> None:
        """Panes of the alert's segment, and of all, every one the same."""
        metric, rate = more.get("metric", "refusal_rate"), more.get("rate", True)
        for place in range(number):
            at = start + place * PANE_MS
            for segment in ("all", "app=shop,model=gpt"):
                row = {
                    "segment": segment,
                    "pane_start": moment(at),
                    "pane_end": moment(at + PANE_MS),
                    "totals": Jsonb({"interaction": events}),
                    "tallies": Jsonb({metric: [events, total, rate], "other": [1, 1, True]}),
                }
                self.connection.execute(QUERIES["upsert_pane_totals"], row)

    def verify(self, **actions: Any) -> Action:
        """What stands in the ledger after a round."""
        settings = make_settings(database_url=self.url, actions=REAL | actions)
        Verifier(settings, {"tune": self.executor}).once(self.connection)
        return ledger.find(self.connection, TUNE).action

    def one(self, statement: str) -> Any:
        row = self.connection.execute(statement).fetchone()
        assert row is not None
        return row[0]


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    with store.connect(database_url, "test") as connection:
        yield Desk(connection, database_url)


def test_an_action_after_which_the_rate_falls_has_helped_and_its_receipt_has_the_numbers(desk: Desk) -> None:
    over = desk.carry()
    desk.panes(desk.ts, 60, 100, 12)
    desk.panes(over, 20, 100, 3)
    action = desk.verify()
    assert action.status == "verified"
    receipt = action.receipt or {}
    assert receipt["verdict"] == "helped"
    assert receipt["before"] == pytest.approx(0.12)
    assert receipt["after"] == pytest.approx(0.03)
    assert float(receipt["after_low"] or 0) < 0.03 < float(receipt["after_high"] or 0) < 0.12
    assert receipt["expected"] == pytest.approx(0.075)
    assert float(receipt["e_value"] or 0) >= 100
    assert receipt["cost_usd"] == 1.25
    assert receipt["rollback"] is None


def test_too_few_events_decide_nothing_and_the_next_round_looks_again(desk: Desk) -> None:
    over = desk.carry()
    desk.panes(desk.ts, 60, 100, 12)
    assert desk.verify().status == "succeeded"
    desk.panes(over, 1, 10, 1)
    assert desk.verify().status == "succeeded"
    desk.panes(over, 20, 100, 3)
    assert desk.verify().status == "verified"


def test_what_has_changed_nothing_by_the_deadline_has_had_no_effect(desk: Desk) -> None:
    over = desk.carry()
    desk.panes(desk.ts, 60, 100, 12)
    desk.panes(over, 60, 100, 12)
    assert desk.verify().status == "succeeded"
    entry = ledger.find(desk.connection, TUNE)
    assert entry.action.expected is not None
    minutes = (entry.action.expected.by - desk.ts) // PANE_MS + 2
    desk.panes(over + 60 * PANE_MS, minutes - 60, 100, 12)
    assert (desk.verify().receipt or {})["verdict"] == "no effect"


def test_harm_is_told_of_and_a_rollback_asked_for(desk: Desk) -> None:
    over = desk.carry()
    desk.panes(desk.ts, 60, 100, 12)
    desk.panes(over, 30, 100, 22)
    action = desk.verify()
    assert (action.status, (action.receipt or {})["verdict"]) == ("verified", "harmed")
    (note,) = [each for each in ledger.actions(desk.connection) if each.action == "notify"]
    assert (note.status, note.severity) == ("proposed", "critical")
    assert f"drift-aware actions rollback {TUNE}" in note.reason
    entry = ledger.find(desk.connection, note.id)
    assert entry.alert is not None
    assert entry.alert.detector == "receipt"
    assert entry.alert.current == pytest.approx(0.22)
    assert desk.executor.undone == 0
    # A later round tells it no second time, and a setting that comes later does not change the past.
    assert desk.verify(auto_rollback=True).status == "verified"
    assert len(ledger.actions(desk.connection)) == 2


def test_harm_is_taken_back_if_that_is_allowed(desk: Desk) -> None:
    over = desk.carry()
    desk.panes(desk.ts, 60, 100, 12)
    desk.panes(over, 30, 100, 22)
    assert desk.verify(auto_rollback=True).status == "rolled_back"
    assert desk.verify(auto_rollback=True).status == "rolled_back"
    assert desk.executor.undone == 1


def test_what_cannot_be_taken_back_is_tried_once(desk: Desk) -> None:
    desk.executor = Deploys(stuck=True)
    over = desk.carry()
    desk.panes(desk.ts, 60, 100, 12)
    desk.panes(over, 30, 100, 22)
    for _ in range(3):
        assert desk.verify(auto_rollback=True).status == "verified"
    assert desk.executor.undone == 1


def test_embeddings_are_compared_on_the_scores_of_one_reference(desk: Desk) -> None:
    embedding = {"metric": "query_embedding", "kind": "embedding", "current": 0.2, "baseline_value": 0.0}
    old, new = ({"metric": f"query_embedding/{name}", "rate": False} for name in ("aaaa", "bbbb"))
    over = desk.carry(**embedding)
    for minute in range(60):
        desk.panes(desk.ts - (180 - minute) * PANE_MS, 1, 100, 2000 + minute % 7, **old)
        desk.panes(desk.ts + minute * PANE_MS, 1, 100, 4000 + minute % 7, **old)
        # Scored against another reference all looks well, and says nothing.
        desk.panes(over + minute * PANE_MS, 1, 100, 2000 + minute % 7, **new)
    assert desk.verify().status == "succeeded"
    for minute in range(60):
        desk.panes(over + minute * PANE_MS, 1, 100, 2500 + minute % 7, **old)
    assert (desk.verify().receipt or {})["verdict"] == "helped"


def test_without_a_word_of_the_metric_there_is_a_verdict_at_the_deadline_all_the_same(desk: Desk) -> None:
    over = desk.carry()
    desk.panes(over, 1, 100, 3, metric="latency_ms")
    entry = ledger.find(desk.connection, TUNE)
    finding = examine(desk.connection, entry)
    assert finding is not None
    assert finding.verdict == "undecided yet"
    desk.panes(over + 30 * 3_600_000, 1, 100, 3, metric="latency_ms")
    receipt = desk.verify().receipt or {}
    assert (receipt["verdict"], receipt["events"], receipt["after"]) == ("no effect", 0, None)


def test_prometheus_is_told_what_was_trained_and_what_it_cost(desk: Desk, database_url: str) -> None:
    registry = CollectorRegistry()
    registry.register(Spending(lambda: store.connect(database_url, "test")))

    def samples() -> list[str]:
        lines = generate_latest(registry).decode().splitlines()
        return [line for line in lines if not line.startswith(("#", "drift_aware_"))]

    def told(retrained: float, cost: float) -> list[str]:
        return [
            f"retrain_events_total {retrained}",
            "reindex_events_total 0.0",
            f"api_cost_usd_total {cost}",
            f"total_cost_usd {cost}",
        ]

    assert samples() == told(0.0, 0.0)
    desk.carry()
    assert samples() == told(1.0, 1.25)


def test_prometheus_is_told_what_waits_for_whom_and_since_when(desk: Desk, database_url: str) -> None:
    registry = CollectorRegistry()
    registry.register(Spending(lambda: store.connect(database_url, "test")))

    def waiting(name: str) -> float | None:
        return registry.get_sample_value(name, {"action": "tune", "status": "proposed"})

    assert waiting("drift_aware_actions") == 0
    assert waiting("drift_aware_actions_oldest_timestamp_seconds") is None
    told = alert(1, onset=1_772_366_400_000, ts=1_772_366_400_000)
    ledger.claim(desk.connection, told, Decision("tune", "proposed", "because"), dry_run=False)
    assert waiting("drift_aware_actions") == 1
    entered = ledger.find(desk.connection, TUNE).updated_at.timestamp()
    assert waiting("drift_aware_actions_oldest_timestamp_seconds") == pytest.approx(entered)
    answers.reject(desk.connection, TUNE, "me", "")
    assert waiting("drift_aware_actions") == 0
    assert waiting("drift_aware_actions_oldest_timestamp_seconds") is None


def test_while_postgres_is_away_there_are_no_samples_instead_of_noughts(free_tcp_port: int) -> None:
    registry = CollectorRegistry()
    url = f"postgresql://nobody@127.0.0.1:{free_tcp_port}/none"
    registry.register(Spending(lambda: store.connect(url, "test")))
    assert generate_latest(registry) == b""
