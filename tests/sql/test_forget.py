"""Forgetting on a real Postgres: what is erased, what stays, and that nothing comes back."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import Any, cast

import msgspec
import psycopg
import pytest
from prometheus_client import CollectorRegistry
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from drift_aware.actions.outbox import Outbox
from drift_aware.actions.runner import Runner
from drift_aware.schema.alerts import Alert
from drift_aware.schema.envelope import COLUMNS, ROWS, encode_columns, encode_rows
from drift_aware.schema.events import KINDS
from drift_aware.schema.metrics import SinkMetrics
from drift_aware.schema.settings import Actions
from drift_aware.schema.topics import ALERTS, SOURCES
from drift_aware.sql import store, tombstones
from drift_aware.sql.erasure import forget
from drift_aware.sql.sink import Sink
from drift_aware.sql.store import Connection
from drift_aware.sql.tombstones import Names
from drift_aware.sql.work import Record
from rig.commands import Command
from rig.services import wait_until
from rig_events import alert, embedding, evaluation, feedback, interaction

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
JO = Names(users=frozenset({"jo"}))
Start = Callable[..., Command]


class Persist:
    """A sink with a connection of its own."""

    def __init__(self, url: str, **options: Any) -> None:
        self.connection = store.connect(url, "persist")
        self.registry = CollectorRegistry()
        self.sink = Sink(SinkMetrics(self.registry), now=lambda: NOW, **options)
        self.sink.prepare(self.connection)

    def handle(self, *events: Any) -> None:
        """What is done with the events inside the transaction."""
        self.sink.handle(self.connection, [_record(event) for event in events])

    def store(self, *events: Any) -> None:
        with self.connection.transaction():
            self.handle(*events)
        self.sink.committed()

    def rows(self, table: str) -> list[dict[str, Any]]:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(SQL("SELECT * FROM {}").format(Identifier(table))).fetchall()

    def withheld(self, table: str, reason: str) -> float | None:
        labels = {"table": table, "reason": reason}
        return self.registry.get_sample_value("drift_aware_sink_withheld_total", labels)


def _record(event: Any) -> Record:
    if isinstance(event, Alert):
        return Record(ALERTS.name, 0, 0, msgspec.json.encode(event), ROWS)
    kind = KINDS[type(event)]
    columns = kind == "embedding"
    value = (encode_columns if columns else encode_rows)([event])
    return Record(SOURCES[kind].name, 0, 0, value, COLUMNS if columns else ROWS)


@pytest.fixture
def persist(database_url: str) -> Iterator[Persist]:
    persist = Persist(database_url)
    yield persist
    persist.connection.close()


@pytest.fixture
def other(database_url: str) -> Iterator[Persist]:
    persist = Persist(database_url)
    yield persist
    persist.connection.close()


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with store.connect(database_url, "forget") as connection:
        yield connection


def of(user: str | None, number: int, **fields: Any) -> Any:
    return interaction(number, labels={"user": user, "region": "eu"} if user else None, **fields)


def traffic() -> list[Any]:
    """Jo has i1 and i2 in a session of their own, and i3 in one with Al."""
    return [
        of("jo", 1, session_id="s1"),
        of(None, 2, session_id="s1"),
        of("jo", 3, session_id="both"),
        of("al", 4, session_id="both"),
        *(embedding(n) for n in (1, 2, 3, 4)),
        embedding(5, interaction_id=None, session_id="s1"),
        embedding(6, interaction_id=None, session_id="both"),
        *(feedback(n) for n in (1, 2, 3, 4)),
        alert(1, examples=["i1", "i4"], words=["secret"]),
        alert(2, examples=["i4"], words=["card"]),
        evaluation(1),
    ]


def texts(persist: Persist) -> set[str]:
    """What is left of whom: the ids of rows with a text, a label, a comment or a vector."""
    fields = ("user_query", "model_response", "error_text", "labels")
    found = {
        row["id"] for row in persist.rows("interaction_log") if any(row[name] is not None for name in fields)
    }
    found |= {row["id"] for row in persist.rows("embeddings_log")}
    found |= {
        f"f-{row['interaction_id']}" for row in persist.rows("feedback_log") if row["comment"] is not None
    }
    return found


def test_a_user_goes_with_their_sessions_and_everything_on_their_interactions(
    persist: Persist, connection: Connection
) -> None:
    persist.store(*traffic())
    runner = Runner(Actions(), cast(Outbox, None))  # which is not asked to publish
    runner.handle(persist.connection, [_record(alert(1, examples=["i1", "i4"], words=["x"]))])
    erased = forget(connection, JO)
    assert texts(persist) == {"i4", "e4", "e6", "f-i4"}
    assert erased.rows == {
        "interaction_log": 3,
        "embeddings_log": 4,
        "feedback_log": 3,
        "drift_events": 1,
        "action_log": len(persist.rows("action_log")),
    }
    shown = {
        row["id"]: (row["alert"]["examples"], row["alert"]["words"]) for row in persist.rows("drift_events")
    }
    assert shown == {"a1": (["i4"], []), "a2": (["i4"], ["card"])}
    assert persist.rows("action_log")
    assert {str(row["alert"]["examples"]) for row in persist.rows("action_log")} == {"['i4']"}


def test_numbers_and_marks_stay(persist: Persist, connection: Connection) -> None:
    persist.store(*traffic())
    before = {row["id"]: row for row in persist.rows("interaction_log")}
    forget(connection, Names(interactions=frozenset({"i4"})))
    after = {row["id"]: row for row in persist.rows("interaction_log")}
    gone = dict.fromkeys(("user_query", "model_response", "error_text", "labels"))
    assert after == before | {"i4": before["i4"] | gone}
    assert {row["score"] for row in persist.rows("feedback_log")} == {4.0}


def test_a_second_time_changes_nothing(persist: Persist, connection: Connection) -> None:
    persist.store(*traffic())
    forget(connection, JO)
    left = texts(persist)
    again = forget(connection, JO)
    assert (again.new, set(again.rows.values())) == (0, set())
    assert texts(persist) == left
    by_id = forget(connection, Names(interactions=frozenset({"i1", "i2", "i3"}), sessions=frozenset({"s1"})))
    assert (by_id.new, set(by_id.rows.values())) == (0, {0})


def test_a_dry_run_counts_the_same_and_changes_nothing(persist: Persist, connection: Connection) -> None:
    persist.store(*traffic())
    before = texts(persist)
    foreseen = forget(connection, JO, dry_run=True)
    assert texts(persist) == before
    assert persist.rows("forgotten") == []
    assert forget(connection, JO) == foreseen


def test_an_erasure_cut_short_goes_on(
    persist: Persist, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    persist.store(*traffic())
    with monkeypatch.context() as patch:
        patch.setattr("drift_aware.sql.erasure.erase", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            forget(connection, JO)
    assert forget(connection, JO).rows["interaction_log"] == 3
    assert texts(persist) == {"i4", "e4", "e6", "f-i4"}


def test_a_replay_brings_no_text_back(persist: Persist, connection: Connection) -> None:
    persist.store(*traffic())
    forget(connection, JO)
    for table in ("interaction_log", "embeddings_log", "feedback_log", "drift_events"):
        persist.connection.execute(SQL("DELETE FROM {}").format(Identifier(table)))
    for event in reversed(traffic()):
        persist.store(event)
    assert texts(persist) == {"i4", "e4", "e6", "f-i4"}
    assert {row["id"] for row in persist.rows("interaction_log")} == {"i1", "i2", "i3", "i4"}
    shown = {row["id"]: row["alert"]["examples"] for row in persist.rows("drift_events")}
    assert shown == {"a1": ["i4"], "a2": ["i4"]}
    assert persist.withheld("interaction_log", "forgotten") == 3
    assert persist.withheld("embeddings_log", "forgotten") == 4
    assert persist.withheld("drift_events", "forgotten") == 1


def test_what_a_forgotten_user_says_later_is_not_kept_whatever_comes_first(
    persist: Persist, connection: Connection
) -> None:
    forget(connection, JO)
    persist.store(embedding(8), feedback(8))
    assert texts(persist) == {"e8", "f-i8"}
    persist.store(of("jo", 8))
    assert texts(persist) == set()
    persist.store(embedding(9), of("jo", 9), feedback(9))
    persist.store(embedding(9), feedback(9))
    assert texts(persist) == set()


def test_names_are_kept_as_digests_only(persist: Persist, connection: Connection) -> None:
    forget(connection, Names(users=frozenset({"jo@example.org"})))
    [row] = persist.rows("forgotten")
    assert len(row["digest"]) == 32
    assert "jo@" not in repr(row)


def waiting(url: str) -> bool:
    """Whether a connection waits for the lock on names."""
    with psycopg.connect(url) as observer:
        row = observer.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        ).fetchone()
    return row is not None and row[0] > 0


def test_what_is_being_written_while_it_is_forgotten_is_erased(
    database_url: str, persist: Persist, connection: Connection
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with persist.connection.transaction():
            persist.handle(*traffic())
            forgetting = pool.submit(forget, connection, JO)
            wait_until(lambda: waiting(database_url), 20)
        forgetting.result(20)
    assert texts(persist) == {"i4", "e4", "e6", "f-i4"}


def test_what_is_written_while_a_name_is_entered_waits_and_sees_it(
    database_url: str, persist: Persist, connection: Connection
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with connection.transaction():
            tombstones.enter(connection, JO)
            storing = pool.submit(persist.store, of("jo", 1), embedding(1), feedback(1))
            wait_until(lambda: waiting(database_url), 20)
        storing.result(20)
    assert texts(persist) == set()


def test_a_vector_another_process_is_writing_goes_with_its_new_interaction(
    database_url: str, persist: Persist, other: Persist, connection: Connection
) -> None:
    forget(connection, JO)
    with ThreadPoolExecutor(1) as pool:
        with persist.connection.transaction():
            persist.handle(embedding(8), feedback(8))
            storing = pool.submit(other.store, of("jo", 8))
            wait_until(lambda: waiting(database_url), 20)
        storing.result(20)
    assert texts(persist) == set()


def test_two_processes_that_block_each_other_are_told_to_begin_again(
    persist: Persist, other: Persist, connection: Connection
) -> None:
    forget(connection, JO)
    both_share = Barrier(2)

    def store_after_sharing(one: Persist, number: int) -> None:
        with one.connection.transaction():
            assert tombstones.anybody(one.connection)
            both_share.wait(20)
            one.handle(of("jo", number), embedding(number))

    with ThreadPoolExecutor(2) as pool:
        storing = [pool.submit(store_after_sharing, one, n) for n, one in enumerate((persist, other))]
        errors = [each.exception(30) for each in storing]
    # What persist takes for trouble that passes.
    assert [type(error) for error in errors if error] == [psycopg.errors.DeadlockDetected]
    persist.store(of("jo", 0), embedding(0), of("jo", 1), embedding(1))
    assert texts(persist) == set()


def test_without_texts_every_text_column_stays_empty_and_is_counted(database_url: str) -> None:
    persist = Persist(database_url, store_texts=False)
    persist.store(*traffic(), evaluation(2, correct=None, expected="x", predicted="x"))
    rows = [
        row for table in ("interaction_log", "feedback_log", "evaluation_log") for row in persist.rows(table)
    ]
    columns = ("user_query", "model_response", "error_text", "comment", "expected", "predicted")
    assert {row.get(name) for row in rows for name in columns} == {None}
    assert [row["correct"] for row in persist.rows("evaluation_log")] == [False, True]
    assert {row["error"] for row in persist.rows("interaction_log")} == {True}
    assert len(persist.rows("embeddings_log")) == 6
    assert [row["alert"]["words"] for row in persist.rows("drift_events")] == [[], []]
    assert persist.withheld("interaction_log", "store_texts") == 4
    assert persist.withheld("feedback_log", "store_texts") == 4
    assert persist.withheld("evaluation_log", "store_texts") == 2
    persist.connection.close()


def run(start_command: Start, url: str, *arguments: str) -> Command:
    command = start_command("forget", *arguments, database_url=url)
    command.wait(60)
    return command


def test_the_command_says_what_it_erased_and_what_it_cannot_reach(
    start_command: Start, database_url: str, persist: Persist
) -> None:
    persist.store(*traffic())
    foreseen = run(start_command, database_url, "--user", "jo", "--dry-run")
    assert "would erase 3 in interaction_log" in foreseen.stdout
    assert "i1" in texts(persist)
    done = run(start_command, database_url, "--user", "jo", "--interaction", "never-seen", "--json")
    assert done.exit_code == 0
    said = json.loads(done.stdout)
    assert (said["dry_run"], said["rows"]["embeddings_log"], said["new"]) == (False, 4, 6)
    assert "Kafka still has the events" in done.stderr
    assert texts(persist) == {"i4", "e4", "e6", "f-i4"}
    nobody = run(start_command, database_url)
    assert (nobody.exit_code, nobody.stdout) == (2, "")
    assert "give --user, --session or --interaction" in nobody.stderr
