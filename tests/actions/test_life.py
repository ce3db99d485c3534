"""The life of an action: only what may follow ever does, and who comes second is told why not."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from drift_aware.actions import answers, ledger, life, steps
from drift_aware.actions.errors import LeaseLost, OutOfTurn, UnknownAction
from drift_aware.actions.leases import Claimant
from drift_aware.actions.policy import Decision, action_id
from drift_aware.schema.alerts import ActionStatus
from drift_aware.sql import migrate, store
from drift_aware.sql.store import Connection
from rig_events import alert

# Written out once more, so that a slip in the code's own table does not forgive itself.
ALLOWED = {
    ("withheld", "proposed"),
    ("proposed", "approved"),
    ("proposed", "rejected"),
    ("proposed", "expired"),
    ("proposed", "withheld"),
    ("proposed", "running"),
    ("approved", "rejected"),
    ("approved", "running"),
    ("running", "running"),
    ("running", "succeeded"),
    ("running", "failed"),
    ("running", "unknown"),
    ("unknown", "running"),
    ("succeeded", "verified"),
    ("succeeded", "rolled_back"),
    ("failed", "approved"),
    ("failed", "rolled_back"),
    ("verified", "rolled_back"),
}
STEP = "upload"


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with store.connect(database_url, "test") as connection:
        yield connection


def propose(connection: Connection, number: object = 1, **fields: Any) -> str:
    one = alert(1, id=f"a{number}")
    values: dict[str, Any] = {"action": "tune", "status": "proposed", "reason": "because"} | fields
    ledger.claim(connection, one, Decision(**values), dry_run=False)
    return action_id(one.id, values["action"])


def worker(name: str, *, auto: bool = False, lease_seconds: float = 60.0) -> Claimant:
    return Claimant(name, "tune", auto, lease_seconds)


def overdue(connection: Connection, action: str) -> None:
    connection.execute(
        "UPDATE action_log SET expires_at = now() - interval '1 minute' WHERE id = %s", [action]
    )


def out_of_lease(connection: Connection, action: str) -> None:
    connection.execute(
        "UPDATE action_log SET lease_until = now() - interval '1 minute' "
        "WHERE id = %s AND lease_until IS NOT NULL",
        [action],
    )


def test_the_table_of_what_may_follow_is_the_one_written_here() -> None:
    table = {(one, other) for one, following in life.FOLLOWS.items() for other in following}
    assert table == ALLOWED - {("running", "running")}
    assert set(life.FOLLOWS) == set(get_args(ActionStatus))


def overdue_and_swept(connection: Connection, action: str) -> None:
    overdue(connection, action)
    answers.expire(connection)


Doing = Callable[[Connection, str], object]
COMMANDS: dict[str, Doing] = {
    "approve": lambda c, a: answers.approve(c, a, "Ann"),
    "reject": lambda c, a: answers.reject(c, a, "Bob", "no"),
    "overdue": overdue_and_swept,
    "propose again": lambda c, a: propose(c, _number(c, a)),
    "displace": lambda c, a: ledger.move(c, a, "withheld"),
    "first takes": lambda c, a: worker("first").take(c, a),
    "second takes": lambda c, a: worker("second", auto=True).take(c, a),
    "next": lambda c, a: worker("second", auto=True).next(c),
    "out of lease": out_of_lease,
    "begin": lambda c, a: steps.begin(c, a, STEP, "key", "first"),
    "done": lambda c, a: steps.end(c, a, STEP, "first", "done", {"file": 1}),
    "lost": lambda c, a: steps.end(c, a, STEP, "first", "unknown"),
    "succeed": lambda c, a: ledger.move(c, a, "succeeded", holder="first"),
    "second succeeds": lambda c, a: ledger.move(c, a, "succeeded", holder="second"),
    "fail": lambda c, a: ledger.move(c, a, "failed", holder="first"),
    "unknown": lambda c, a: ledger.move(c, a, "unknown", holder="first"),
    "settle": lambda c, a: answers.settle(c, a, STEP, "Ann", done=True),
    "settle as not done": lambda c, a: answers.settle(c, a, STEP, "Ann", done=False),
    "verify": lambda c, a: answers.verify(c, a, "helped", {"before": 1.0}),
    "take back": lambda c, a: worker("first").take_back(c, a),
    "rolled back": lambda c, a: ledger.move(c, a, "rolled_back", holder="first"),
    "release": lambda c, a: worker("first").release(c, a),
}


def _number(connection: Connection, action: str) -> str:
    return ledger.find(connection, action).alert.id.removeprefix("a")


def reach(connection: Connection, status: str, *, auto: bool = False) -> str:
    """An action that stands there, by the ordinary way."""
    first = "withheld" if status == "withheld" else "proposed"
    action = propose(connection, uuid.uuid4(), status=first, auto=auto)
    ways = {
        "approved": ["approve"],
        "rejected": ["reject"],
        "expired": ["overdue"],
        "running": ["approve", "first takes"],
        "unknown": ["approve", "first takes", "begin", "lost", "unknown"],
        "failed": ["approve", "first takes", "fail"],
        "succeeded": ["approve", "first takes", "succeed"],
        "verified": ["approve", "first takes", "succeed", "verify"],
        "rolled_back": ["approve", "first takes", "succeed", "take back", "rolled back"],
    }
    for command in ways.get(status, []):
        COMMANDS[command](connection, action)
    assert ledger.find(connection, action).action.status == status
    return action


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.sampled_from(get_args(ActionStatus)),
    auto=st.booleans(),
    commands=st.lists(st.sampled_from(sorted(COMMANDS)), max_size=12),
)
def test_no_sequence_of_commands_stores_a_forbidden_transition(
    connection: Connection, start: str, auto: bool, commands: list[str]
) -> None:
    connection.execute("DELETE FROM action_log")
    action = reach(connection, start, auto=auto)
    seen = [ledger.find(connection, action)]
    for command in commands:
        with suppress(OutOfTurn, LeaseLost):
            COMMANDS[command](connection, action)
        seen.append(ledger.find(connection, action))
    for before, after in pairwise(seen):
        one, other = before.action, after.action
        if one.status != other.status:
            assert (one.status, other.status) in ALLOWED
            assert other.revision > one.revision, "a change that would not be published"
        if (one.status, other.status) == ("proposed", "running"):
            assert auto


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("approved", "was already approved by Ann at 20"),
        ("rejected", "was rejected: rejected by Bob: no"),
        ("expired", "has expired: nobody answered in time"),
        ("running", "is being carried out by first"),
        ("succeeded", "has been carried out"),
        ("verified", "has been carried out and verified"),
        ("unknown", "has a step of unknown outcome"),
        ("rolled_back", "has been rolled back"),
        ("withheld", "was withheld: because"),
    ],
)
def test_an_approval_out_of_turn_says_where_the_action_stands_and_changes_nothing(
    connection: Connection, status: str, says: str
) -> None:
    action = reach(connection, status)
    before = ledger.find(connection, action)
    with pytest.raises(OutOfTurn, match=says):
        answers.approve(connection, action, "Eve")
    assert ledger.find(connection, action) == before


def test_an_approval_that_comes_too_late_finds_the_proposal_expired(connection: Connection) -> None:
    action = propose(connection)
    overdue(connection, action)
    with pytest.raises(OutOfTurn, match="has expired"):
        answers.approve(connection, action, "Ann")
    assert ledger.find(connection, action).action.status == "expired"


def test_what_is_only_proposed_is_not_carried_out(connection: Connection) -> None:
    action = propose(connection)
    with pytest.raises(OutOfTurn, match="is only proposed; approve it first"):
        worker("first", auto=True).take(connection, action)
    assert worker("first", auto=True).next(connection) is None


def test_of_two_workers_one_takes_an_action(connection: Connection) -> None:
    action = reach(connection, "approved")
    assert worker("first").next(connection) == action
    assert worker("second").next(connection) is None
    with pytest.raises(OutOfTurn, match="being carried out by first"):
        worker("second").take(connection, action)


def test_a_dead_workers_action_is_taken_by_another_and_the_first_can_write_nothing(
    connection: Connection,
) -> None:
    action = reach(connection, "running")
    steps.begin(connection, action, STEP, "key", "first")
    out_of_lease(connection, action)
    assert worker("second").next(connection) == action
    with pytest.raises(LeaseLost):
        steps.end(connection, action, STEP, "first", "done", {})
    with pytest.raises(LeaseLost):
        steps.begin(connection, action, "train", "key", "first")
    with pytest.raises(OutOfTurn):
        ledger.move(connection, action, "succeeded", holder="first")
    [step] = ledger.find(connection, action).steps
    assert (step.step, step.status, step.worker) == (STEP, "started", "first")


def test_a_step_that_is_done_is_not_begun_again(connection: Connection) -> None:
    action = reach(connection, "running")
    steps.begin(connection, action, STEP, "key", "first")
    steps.end(connection, action, STEP, "first", "done", {"file": "f\x001"})
    with pytest.raises(LeaseLost):
        steps.begin(connection, action, STEP, "key", "first")
    assert ledger.find(connection, action).steps[0].result == {"file": "f1"}


def test_only_a_step_of_unknown_outcome_is_settled(connection: Connection) -> None:
    action = reach(connection, "unknown")
    before = ledger.find(connection, action)
    with pytest.raises(OutOfTurn, match="of unknown outcome is upload"):
        answers.settle(connection, action, "train", "Ann", done=True)
    assert ledger.find(connection, action) == before
    settled = answers.settle(connection, action, STEP, "Ann", done=True, note="seen", result={"file": "f1"})
    assert (settled.status, settled.reason) == ("running", "Ann says that upload was done: seen")
    [step] = ledger.find(connection, action).steps
    assert (step.status, step.settled_by, step.result) == ("done", "Ann", {"file": "f1"})
    with pytest.raises(OutOfTurn, match="no step of unknown outcome"):
        answers.settle(connection, action, STEP, "Ann", done=True)


def test_a_verdict_stands_in_the_receipt_once(connection: Connection) -> None:
    action = reach(connection, "succeeded")
    verified = answers.verify(connection, action, "harmed", {"before": 0.1, "after": 0.2})
    assert (verified.status, verified.receipt) == (
        "verified",
        {"before": 0.1, "after": 0.2, "verdict": "harmed"},
    )
    with pytest.raises(OutOfTurn, match="verified"):
        answers.verify(connection, action, "helped", {})


def test_of_a_dry_run_there_is_nothing_to_verify_or_to_take_back(connection: Connection) -> None:
    action = reach(connection, "running")
    ledger.move(connection, action, "succeeded", holder="first", dry_run=True)
    with pytest.raises(OutOfTurn, match="was a dry run"):
        worker("first").take_back(connection, action)
    with pytest.raises(OutOfTurn, match="was a dry run"):
        answers.verify(connection, action, "helped", {})


def test_what_is_being_taken_back_is_not_approved_again(connection: Connection) -> None:
    action = reach(connection, "failed")
    worker("second").take_back(connection, action)
    with pytest.raises(OutOfTurn):
        answers.approve(connection, action, "Ann")
    with pytest.raises(OutOfTurn):
        worker("first").take_back(connection, action)


def test_an_action_that_is_not_there_is_unknown(connection: Connection) -> None:
    with pytest.raises(UnknownAction, match="drift-aware actions list"):
        answers.approve(connection, "nowhere", "Ann")


def test_the_weightiest_action_goes_first(connection: Connection) -> None:
    for number, severity in enumerate(["info", "critical", "warning"]):
        one = alert(number, severity=severity)
        ledger.claim(connection, one, Decision("tune", "proposed", "because", auto=True), dry_run=False)
    taken = [worker("first", auto=True).next(connection) for _ in range(3)]
    assert taken == [action_id(f"a{number}", "tune") for number in (1, 2, 0)]


def test_fine_tuning_can_be_read_as_triggers(connection: Connection) -> None:
    action = reach(connection, "running")
    propose(connection, "other", status="withheld")
    query = (
        "SELECT job_id, drift_metrics ->> 'metric', trigger_timestamp IS NOT NULL, status "
        "FROM finetuning_triggers"
    )
    assert connection.execute(query).fetchall() == [(action, "refusal_rate", True, "running")]
    steps.begin(connection, action, "train", "key", "first")
    steps.end(connection, action, "train", "first", "done", {"job_id": "ft-1"})
    assert connection.execute(query).fetchall() == [("ft-1", "refusal_rate", True, "running")]


def test_proposals_of_before_there_were_steps_wait_three_days_more(empty_database_url: str) -> None:
    with store.connect(empty_database_url, "test") as connection:
        every = migrate.available()
        migrate.migrate(connection, [each for each in every if each.name != "action_steps"])
        connection.execute(
            "INSERT INTO action_log (id, revision, action, status, alert_id, segment, metric, severity, ts, "
            "dry_run, reason, alert, claimed_by) "
            "SELECT status, 1, 'notify', status, 'a1', 'all', 'm', 'info', now(), false, 'because', %s, 'me' "
            "FROM unnest(ARRAY['proposed', 'withheld']) AS status",
            [Jsonb(msgspec.to_builtins(alert(1)))],
        )
        migrate.migrate(connection, every)
        old = ledger.find(connection, "proposed")
        assert old.expires_at is not None
        assert (old.expires_at - old.updated_at).days == 3
        # Nobody is told of what may be weeks old.
        assert not old.auto
        assert answers.approve(connection, "proposed", "Ann").status == "approved"
