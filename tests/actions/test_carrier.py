"""What a carrier makes of what executors give and raise."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import EntryPoint
from typing import Any

import psycopg
import pytest

from drift_aware.actions import answers, ledger
from drift_aware.actions.carrying import TRIES, Carrier
from drift_aware.actions.errors import ActionFailed, LeaseLost, OutOfTurn, Unknown
from drift_aware.actions.executor import Job, Result
from drift_aware.actions.installed import installed
from drift_aware.actions.lanes import Lane
from drift_aware.actions.leases import Claimant
from drift_aware.actions.policy import Decision, action_id
from drift_aware.schema.action_settings import Actions
from drift_aware.schema.alerts import Action, ActionKind, Alert, Effect
from drift_aware.schema.errors import SettingsError
from drift_aware.schema.settings import Settings
from drift_aware.sql import store
from drift_aware.sql.store import Connection
from rig.configuration import make_settings
from rig.services import wait_until
from rig_events import alert

SECRET = "hunter2"
REAL = Actions(dry_run=False, require_approval=False, lease_seconds=1)
Connect = Callable[[], AbstractContextManager[Connection]]
Told = Callable[[Job], Result | None]


def gives(job: Job) -> Result:
    return {"key": job.key("one")}


class Scripted:
    """An executor that does what the test says, and notes what it was asked."""

    def __init__(self, kind: ActionKind = "tune", **told: Told) -> None:
        self.kind: ActionKind = kind
        self.steps: Sequence[str] = ("one", "two")
        self.told = told
        self.asked: list[str] = []

    def expected(self, alert: Alert) -> Effect | None:
        return Effect(alert.metric, "down", alert.current, 0.03, alert.ts + 1)

    def plan(self, job: Job) -> str:
        self.asked.append("plan")
        return "would do two things"

    def do(self, step: str, job: Job) -> Result:
        self.asked.append(f"do {step}")
        return self.told.get(step, gives)(job) or {}

    def find(self, step: str, job: Job) -> Result | None:
        self.asked.append(f"find {step}")
        told = self.told.get(f"find_{step}")
        return None if told is None else told(job)

    def undo(self, job: Job) -> str:
        self.asked.append("undo")
        self.told.get("undo", gives)(job)
        return f"{len(job.results)} things taken back"


def raises(error: Exception) -> Told:
    def told(_: Job) -> Result:
        raise error

    return told


@pytest.fixture
def connect(database_url: str) -> Connect:
    return partial(store.connect, database_url, "test")


@pytest.fixture
def connection(connect: Connect) -> Iterator[Connection]:
    with connect() as connection:
        yield connection


class Desk:
    """An approved action and who carries it out."""

    def __init__(self, connection: Connection, connect: Connect) -> None:
        self.connection, self.connect = connection, connect
        self.id = action_id("a1", "tune")
        ledger.claim(connection, alert(1), Decision("tune", "proposed", "because"), dry_run=False)
        answers.approve(connection, self.id, "Ann")

    def carrier(self, executor: Scripted, actions: Actions = REAL, **more: Any) -> Carrier:
        mine = Claimant("first", executor.kind, True, actions.lease_seconds)
        return Carrier(executor, mine, actions, self.connection, self.connect, **more)

    def carry(self, executor: Scripted, actions: Actions = REAL, **more: Any) -> Action:
        carrier = self.carrier(executor, actions, **more)
        carrier.claimant.take(self.connection, self.id)
        return carrier.carry(self.id)

    def again(self) -> None:
        """Its worker has died long ago."""
        self.connection.execute("UPDATE action_log SET lease_until = now() - interval '1 minute'")

    @property
    def steps(self) -> dict[str, str]:
        return {step.step: step.status for step in ledger.find(self.connection, self.id).steps}


@pytest.fixture
def desk(connection: Connection, connect: Connect) -> Desk:
    return Desk(connection, connect)


def test_an_action_that_is_carried_out_says_what_it_is_to_bring_about_and_what_it_cost(desk: Desk) -> None:
    def costs(job: Job) -> Result:
        job.spend(2.0, "a job")
        job.spent(1.5, "a job")
        job.progress(1, 2)
        return {}

    action = desk.carry(Scripted(two=costs))
    assert action.status == "succeeded"
    assert action.expected == Effect("refusal_rate", "down", 0.12, 0.03, action.ts + 1)
    assert action.receipt == {"steps": 2, "cost_usd": 1.5}
    assert [step.cost_usd for step in ledger.find(desk.connection, desk.id).steps] == [0, 1.5]


def test_a_failure_is_told_and_can_be_approved_again_to_go_on_where_it_failed(desk: Desk) -> None:
    action = desk.carry(Scripted(two=raises(ActionFailed("the box is\nfull; empty it"))))
    assert (action.status, action.reason) == ("failed", "the box is full; empty it")
    assert desk.steps == {"one": "done", "two": "failed"}
    answers.approve(desk.connection, desk.id, "Ann")
    executor = Scripted()
    assert desk.carry(executor).status == "succeeded"
    assert executor.asked == ["find two", "do two"]


def test_a_mistake_in_an_executor_fails_the_action_and_its_text_stays_out(
    desk: Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    action = desk.carry(Scripted(one=raises(ValueError(SECRET))))
    assert (action.status, action.reason) == (
        "failed",
        "ValueError in the executor of tune: a mistake; the log says where",
    )
    said = "".join(capfd.readouterr())
    assert "test_carrier.py" in said
    assert SECRET not in said


def test_a_call_that_breaks_and_is_found_to_have_had_no_effect_is_made_again(desk: Desk) -> None:
    breaks = [Unknown("broken"), Unknown("broken")]

    def told(job: Job) -> Result:
        if breaks:
            raise breaks.pop()
        return {}

    executor = Scripted(one=told)
    assert desk.carry(executor).status == "succeeded"
    assert executor.asked == ["do one", "find one", "do one", "find one", "do one", "do two"]


def test_a_call_that_breaks_without_end_is_given_up(desk: Desk) -> None:
    executor = Scripted(one=raises(Unknown("broken")))
    action = desk.carry(executor)
    assert action.status == "failed"
    assert executor.asked.count("do one") == TRIES


def test_a_step_that_is_settled_as_not_done_is_done_without_looking(desk: Desk) -> None:
    lost = Scripted(one=raises(Unknown("broken")), find_one=raises(Unknown("nobody can tell")))
    action = desk.carry(lost)
    assert (action.status, action.reason, desk.steps) == ("unknown", "nobody can tell", {"one": "unknown"})
    answers.settle(desk.connection, desk.id, "one", "Ann", done=False)
    executor = Scripted(find_one=raises(Unknown("nobody can tell")))
    assert desk.carry(executor).status == "succeeded"
    assert executor.asked == ["do one", "do two"]


def test_a_database_that_goes_away_leaves_the_step_to_be_found(desk: Desk) -> None:
    with pytest.raises(psycopg.OperationalError):
        desk.carry(Scripted(one=raises(psycopg.OperationalError("gone"))))
    assert desk.steps == {"one": "started"}
    desk.again()
    executor = Scripted(find_one=gives)
    assert desk.carry(executor).status == "succeeded"
    assert executor.asked == ["find one", "do two"]


def test_a_process_that_is_to_end_stops_between_two_steps_and_another_goes_on_at_once(desk: Desk) -> None:
    executor = Scripted()
    action = desk.carry(executor, stopping=lambda: "do one" in executor.asked)
    assert (action.status, desk.steps) == ("running", {"one": "done"})
    assert desk.carry(executor).status == "succeeded"
    assert executor.asked == ["do one", "do two"]


def test_a_lease_is_extended_as_long_as_a_step_lasts(desk: Desk) -> None:
    def until() -> datetime:
        found = ledger.find(desk.connection, desk.id).lease_until
        assert found is not None
        return found

    def lasts(_: Job) -> Result:
        begin = until()
        wait_until(lambda: (until() - begin).total_seconds() > 1.5 * REAL.lease_seconds, 30)
        return {}

    assert desk.carry(Scripted(one=lasts)).status == "succeeded"


def test_who_loses_the_lease_in_the_middle_of_a_step_writes_nothing(desk: Desk) -> None:
    def loses(_: Job) -> Result:
        desk.again()
        Claimant("second", "tune", True, 60).take(desk.connection, desk.id)
        return {}

    with pytest.raises(LeaseLost, match="left to that"):
        desk.carry(Scripted(one=loses), Actions(dry_run=False, lease_seconds=60))
    entry = ledger.find(desk.connection, desk.id)
    assert (entry.action.status, entry.claimed_by, desk.steps) == ("running", "second", {"one": "started"})


def test_in_a_dry_run_only_the_plan_is_asked_for(desk: Desk) -> None:
    executor = Scripted()
    action = desk.carry(executor, Actions(lease_seconds=1))
    assert (action.status, action.dry_run, action.reason) == (
        "succeeded",
        True,
        "dry run: would do two things",
    )
    assert executor.asked == ["plan"]
    assert desk.steps == {}


def test_an_action_that_is_half_done_does_not_end_as_a_dry_run(desk: Desk) -> None:
    with pytest.raises(psycopg.OperationalError):
        desk.carry(Scripted(two=raises(psycopg.OperationalError("gone"))))
    desk.again()
    executor = Scripted()
    action = desk.carry(executor, Actions(lease_seconds=1))
    assert (action.status, action.dry_run, executor.asked) == ("failed", False, [])


def test_what_is_rolled_back_says_what_was_taken_back(desk: Desk) -> None:
    carrier = desk.carrier(executor := Scripted())
    desk.carry(executor)
    carrier.claimant.take_back(desk.connection, desk.id)
    assert carrier.undo(desk.id, "Ann") == "2 things taken back"
    entry = ledger.find(desk.connection, desk.id)
    assert (entry.action.status, entry.action.reason) == (
        "rolled_back",
        "rolled back by Ann: 2 things taken back",
    )
    assert entry.undone_at is not None
    assert desk.steps["undo"] == "done"


def test_what_cannot_be_taken_back_stands_as_before_and_may_be_tried_again(desk: Desk) -> None:
    desk.carry(Scripted())
    carrier = desk.carrier(Scripted(undo=raises(ActionFailed("the model is in use"))))
    carrier.claimant.take_back(desk.connection, desk.id)
    with pytest.raises(ActionFailed, match="the model is in use"):
        carrier.undo(desk.id, "Ann")
    assert ledger.find(desk.connection, desk.id).action.status == "succeeded"
    carrier = desk.carrier(Scripted())
    carrier.claimant.take_back(desk.connection, desk.id)
    carrier.undo(desk.id, "Ann")
    assert ledger.find(desk.connection, desk.id).action.status == "rolled_back"


def test_taking_back_that_is_cut_short_is_begun_again_by_another(desk: Desk) -> None:
    desk.carry(Scripted())
    carrier = desk.carrier(Scripted(undo=raises(psycopg.OperationalError("gone"))))
    carrier.claimant.take_back(desk.connection, desk.id)
    with pytest.raises(psycopg.OperationalError):
        carrier.undo(desk.id, "Ann")
    with pytest.raises(OutOfTurn):
        Claimant("second", "tune", True, 60).take_back(desk.connection, desk.id)
    desk.again()
    carrier = desk.carrier(Scripted())
    carrier.claimant.take_back(desk.connection, desk.id)
    assert carrier.undo(desk.id, "Ann") == "2 things taken back"


def test_a_call_that_the_days_budget_does_not_allow_is_not_made(desk: Desk) -> None:
    def dear(job: Job) -> Result:
        job.spend(3.0, "the first job")
        job.spent(3.0, "the first job")
        job.spend(2.5, "the second job")
        raise AssertionError("made although the budget is spent")

    budget = Actions(dry_run=False, budget_usd_per_day=5, lease_seconds=1)
    action = desk.carry(Scripted(one=dear), budget)
    assert action.status == "failed"
    assert action.reason == (
        "the second job may cost 2.50 USD, and the day's 5 USD do not allow that; "
        "approve it again tomorrow, or raise actions.budget_usd_per_day"
    )
    assert ledger.find(desk.connection, desk.id).cost_usd == 3.0


def test_what_may_have_been_spent_before_a_crash_counts_as_spent(desk: Desk) -> None:
    def crashes(job: Job) -> Result:
        job.spend(4.0, "a job")
        raise psycopg.OperationalError("gone")

    def again(job: Job) -> Result:
        job.spend(2.0, "a job")
        return {}

    budget = Actions(dry_run=False, budget_usd_per_day=5, lease_seconds=1)
    with pytest.raises(psycopg.OperationalError):
        desk.carry(Scripted(one=crashes), budget)
    desk.again()
    assert desk.carry(Scripted(one=again), budget).status == "failed"


def test_two_calls_at_once_do_not_both_take_the_last_dollar(desk: Desk) -> None:
    refused: list[str] = []

    def both(job: Job) -> Result:
        ready = threading.Barrier(2)

        def spend() -> None:
            ready.wait()
            try:
                job.spend(1.0, "half")
            except ActionFailed as error:
                refused.append(str(error))

        threads = [threading.Thread(target=spend) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return {}

    assert desk.carry(Scripted(one=both), Actions(dry_run=False, budget_usd_per_day=1)).status == "succeeded"
    assert len(refused) == 1


NIGHT = datetime(2026, 3, 1, 23, 0, tzinfo=UTC)
DAY = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
QUIET = {"from": "22:00", "to": "07:00", "timezone": "Europe/Berlin"}


def lane(url: str, executor: Scripted, now: datetime) -> Lane:
    actions = {"dry_run": False, "require_approval": False, "quiet_hours": QUIET}
    return Lane(make_settings(database_url=url, actions=actions), executor, lambda: now)


def test_in_quiet_hours_actions_wait_and_say_so_once(desk: Desk, database_url: str) -> None:
    executor = Scripted()
    for _ in range(2):
        assert not lane(database_url, executor, NIGHT).once(desk.connection)
    waiting = ledger.find(desk.connection, desk.id).action
    assert (waiting.status, waiting.revision) == ("approved", 3)
    assert waiting.reason == "not now, for these are quiet hours until 07:00 Europe/Berlin; because"
    assert lane(database_url, executor, DAY).once(desk.connection)
    assert ledger.find(desk.connection, desk.id).action.reason == "because"


def test_in_quiet_hours_only_messages_about_what_is_critical_go_out(
    connection: Connection, database_url: str
) -> None:
    for number, severity in enumerate(["warning", "critical"]):
        one = alert(number, severity=severity)
        ledger.claim(connection, one, Decision("notify", "proposed", "because", auto=True), dry_run=False)
    executor = Scripted("notify")
    assert lane(database_url, executor, NIGHT).once(connection)
    assert not lane(database_url, executor, NIGHT).once(connection)
    assert ledger.find(connection, action_id("a1", "notify")).action.status == "succeeded"
    assert ledger.find(connection, action_id("a0", "notify")).action.status == "proposed"


def test_what_has_begun_is_carried_on_in_quiet_hours(desk: Desk, database_url: str) -> None:
    Claimant("dead", "tune", True, 60).take(desk.connection, desk.id)
    desk.again()
    assert lane(database_url, Scripted(), NIGHT).once(desk.connection)
    assert ledger.find(desk.connection, desk.id).action.status == "succeeded"


def test_approval_that_is_required_is_waited_for_whatever_the_rule_says(
    connection: Connection, database_url: str
) -> None:
    ledger.claim(connection, alert(1), Decision("tune", "proposed", "because", auto=True), dry_run=False)
    strict = make_settings(database_url=database_url, actions={"dry_run": False})
    assert not Lane(strict, Scripted()).once(connection)
    lenient = make_settings(database_url=database_url, actions={"dry_run": False, "require_approval": False})
    assert Lane(lenient, Scripted()).once(connection)
    assert ledger.find(connection, action_id("a1", "tune")).approved_by == "the rules"


def test_proposals_that_nobody_answers_expire(connection: Connection, database_url: str) -> None:
    ledger.claim(connection, alert(1), Decision("tune", "proposed", "because", auto=True), dry_run=False)
    connection.execute("UPDATE action_log SET expires_at = now()")
    lenient = make_settings(database_url=database_url, actions={"require_approval": False})
    assert not Lane(lenient, Scripted()).once(connection)
    assert ledger.find(connection, action_id("a1", "tune")).action.status == "expired"


def test_a_lane_goes_on_when_postgres_has_dropped_its_connections(
    connection: Connection, database_url: str
) -> None:
    settings = make_settings(database_url=database_url, actions={"dry_run": False, "require_approval": False})
    stop = threading.Event()
    thread = threading.Thread(target=Lane(settings, Scripted()).run, args=[stop])
    thread.start()

    def dropped() -> int:
        return connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'drift-aware act tune' AND datname = current_database()"
        ).rowcount

    wait_until(dropped)
    ledger.claim(connection, alert(1), Decision("tune", "proposed", "because", auto=True), dry_run=False)
    tune = action_id("a1", "tune")
    wait_until(lambda: ledger.find(connection, tune).action.status == "succeeded")
    stop.set()
    thread.join(20)
    assert not thread.is_alive()


def make_tune(_: Settings) -> Scripted:
    return Scripted()


def make_nothing(_: Settings) -> None:
    return None


def make_wrong(_: Settings) -> Scripted:
    executor = Scripted()
    executor.steps = ("one", "undo")
    return executor


def _entries(**makers: str) -> list[EntryPoint]:
    return [EntryPoint(name, f"here:{maker}", "drift_aware.executors") for name, maker in makers.items()]


@pytest.fixture
def loadable(monkeypatch: pytest.MonkeyPatch) -> None:
    makers = {"make_tune": make_tune, "make_nothing": make_nothing, "make_wrong": make_wrong}

    def load(entry: EntryPoint) -> Any:
        name = entry.value.partition(":")[2]
        if name not in makers:
            raise ModuleNotFoundError(name)
        return makers[name]

    monkeypatch.setattr(EntryPoint, "load", load)


def test_executors_are_found_by_their_entry_points(loadable: None) -> None:
    found = installed(make_settings(), _entries(a="make_tune", b="make_nothing", c="not_installed"))
    assert {kind: type(executor) for kind, executor in found.items()} == {"tune": Scripted}


def test_two_executors_of_one_kind_need_a_choice(loadable: None) -> None:
    two = _entries(a="make_tune", b="make_tune")
    with pytest.raises(SettingsError, match=r"a, b all carry out tune; set actions\.executors\.tune"):
        installed(make_settings(), two)
    assert list(installed(make_settings(actions={"executors": {"tune": "b"}}), two)) == ["tune"]
    with pytest.raises(SettingsError, match="no executor c for tune; there is a, b"):
        installed(make_settings(actions={"executors": {"tune": "c"}}), two)


def test_the_command_is_found_once_it_is_configured() -> None:
    assert "command" not in [type(each).__name__ for each in installed(make_settings()).values()]
    actions = {"command": {"kind": "safety", "run": ["true"]}, "executors": {"safety": "command"}}
    assert type(installed(make_settings(actions=actions))["safety"]).__name__ == "CommandExecutor"


def test_a_step_name_that_is_taken_is_refused(loadable: None) -> None:
    with pytest.raises(SettingsError, match="executor a: no step may be called undo"):
        installed(make_settings(), _entries(a="make_wrong"))
