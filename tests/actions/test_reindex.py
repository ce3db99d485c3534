"""The executor ``reindex`` on a real Postgres, with an embedding endpoint that has faults."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import stamina
from pgvector import HalfVector
from pgvector.psycopg import register_vector

from drift_aware.actions.errors import ActionFailed, OverBudget
from drift_aware.actions.executors import reindex
from drift_aware.actions.executors.reindex import ReindexExecutor
from drift_aware.schema.errors import SettingsError, Unreachable
from drift_aware.sql import store
from drift_aware.sql.store import Connection
from rig.brokers import Broker
from rig.configuration import make_settings
from rig.embeddings import KEY, Asked, Endpoint, broken, busy, cut_off, garbage, says
from rig.records import records
from rig.reindexing import ATTEMPTS, DIM, MODEL, Bench, texts
from rig_events import alert


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    """Attempts follow each other at once."""
    with stamina.set_testing(True, attempts=ATTEMPTS, cap=True):
        yield


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint(DIM) as server:
        yield server


@pytest.fixture
def bench(database_url: str, endpoint: Endpoint, tmp_path: Path) -> Bench:
    return Bench(database_url, endpoint, tmp_path / "documents.jsonl")


def test_a_first_reindex_puts_every_document_in_with_its_vector(bench: Bench) -> None:
    bench.write(*texts(60))
    results = bench.run()
    assert results["read"]["documents"] == results["read"]["new"] == results["embed"]["texts"] == 60
    assert bench.live() == {f"doc-{n}": text for n, text in enumerate(texts(60))}
    assert results["check"]["recall"] >= 0.95
    assert results["check"]["of"] == "documents"
    [(model, width, source, metadata)] = bench.rows(
        "SELECT DISTINCT embedding_model, vector_dims(embedding), source, metadata FROM documents"
    )
    assert (model, width, source, metadata) == (MODEL, DIM, "reindex", {"lang": "en"})
    [(column,)] = bench.rows(
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = 'documents'::regclass AND attname = 'embedding'"
    )
    assert column == f"halfvec({DIM})"


def test_only_what_is_new_or_changed_is_embedded_again(bench: Bench) -> None:
    bench.write(*texts(40))
    bench.run()
    bench.endpoint.embedded.clear()
    changed = [*texts(40)[:-2], "something else", "topic0 text number 0", "quite new"]
    bench.write(*changed)
    results = bench.run("a2")
    assert bench.endpoint.embedded == {"something else": 1, "quite new": 1}
    assert (
        results["read"] | {"documents": 41, "new": 1, "changed": 2, "gone": 0, "to_embed": 2}
        == results["read"]
    )
    assert bench.live() == {f"doc-{n}": text for n, text in enumerate(changed)}


def test_another_model_embeds_everything_again(bench: Bench) -> None:
    bench.write(*texts(20))
    bench.run()
    bench.run("a2", embedding={"model": "other"})
    assert set(bench.endpoint.embedded.values()) == {2}
    assert bench.rows("SELECT DISTINCT embedding_model FROM documents") == [("other",)]


def test_what_is_gone_from_the_source_is_gone_and_what_others_put_in_stays(bench: Bench) -> None:
    bench.write(*texts(20))
    bench.run()
    bench.rows(
        "INSERT INTO documents (id, source, content, content_hash)"
        " VALUES ('theirs', 'wiki', 'of others', 'x')"
    )
    bench.write(*texts(15))
    assert bench.run("a2")["read"]["gone"] == 5
    assert set(bench.live()) == {"theirs", *(f"doc-{n}" for n in range(15))}


def test_what_others_write_while_it_runs_comes_along(bench: Bench) -> None:
    bench.write(*texts(20))
    bench.run()
    bench.run("a2", until="check")
    bench.rows(
        "INSERT INTO documents SELECT 'late', 'wiki', 'late', metadata, embedding, embedding_model, 'x',"
        " now() FROM documents LIMIT 1"
    )
    bench.executor().do("swap", bench.job("a2"))
    assert "late" in bench.live()


def test_rights_and_indexes_of_the_live_table_are_kept(bench: Bench) -> None:
    role = f"reader_{bench.url.rsplit('/', 1)[-1].partition('?')[0][-12:]}"
    bench.rows(f"CREATE ROLE {role}".encode())
    try:
        bench.rows(f"GRANT SELECT ON documents TO {role}".encode())
        bench.rows("CREATE INDEX ON documents USING gin (metadata)")
        bench.write(*texts(20))
        bench.run()
        [(may,)] = bench.rows(f"SELECT has_table_privilege('{role}', 'documents', 'SELECT')".encode())
        definitions = " ".join(
            text for (text,) in bench.rows("SELECT indexdef FROM pg_indexes WHERE tablename = 'documents'")
        )
    finally:
        bench.rows(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())
    assert may
    assert "gin (metadata)" in definitions
    assert definitions.count("USING hnsw") == 1


def test_readers_see_no_error_and_no_empty_result_while_it_is_swapped(bench: Bench) -> None:
    bench.write(*texts(300))
    bench.run()
    stop, seen, troubles = threading.Event(), [0], []

    def read() -> None:
        with store.connect(bench.url, "reader") as connection:
            register_vector(connection)
            vector = HalfVector([0.1] * DIM)
            while not stop.is_set():
                try:
                    rows = connection.execute(
                        "SELECT id FROM documents ORDER BY embedding <=> %s LIMIT 10", [vector]
                    ).fetchall()
                    seen[0] += 1
                    if len(rows) != 10:
                        troubles.append(f"{len(rows)} rows")
                except psycopg.Error as error:
                    troubles.append(str(error))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        for round_ in range(2, 6):
            bench.write(*texts(300, word=f"round{round_}"))
            bench.run(f"a{round_}")
        bench.executor().undo(bench.job("a5"))
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert troubles == []
    assert seen[0] > 20
    assert set(bench.live().values()) == set(texts(300, word="round4"))


def test_a_swap_gives_up_when_the_table_is_held_and_can_be_done_later(bench: Bench) -> None:
    bench.write(*texts(20))
    bench.run(until="check")
    with store.connect(bench.url, "holder") as holder, holder.transaction():
        holder.execute("SELECT count(*) FROM documents")
        with pytest.raises(ActionFailed, match="in use by long transactions"):
            bench.executor(lock_seconds=0.05).do("swap", bench.job())
    assert bench.live() == {}
    bench.executor().do("swap", bench.job())
    assert len(bench.live()) == 20


def test_undo_puts_the_table_before_back_and_may_be_called_again(bench: Bench) -> None:
    bench.write(*texts(20))
    bench.run()
    before = bench.live()
    bench.write(*texts(20, word="new"))
    bench.run("a2")
    executor = bench.executor()
    with pytest.raises(ActionFailed, match="a later reindex"):
        executor.undo(bench.job("a1"))
    assert executor.find("swap", bench.job("a1")) is not None
    with pytest.raises(ActionFailed, match="a later reindex"):
        executor.do("swap", bench.job("a1"))
    assert "what it was before" in executor.undo(bench.job("a2"))
    assert bench.live() == before
    assert executor.undo(bench.job("a2")) == "there is nothing to take back"
    assert bench.live() == before


def test_undo_of_what_was_not_swapped_in_removes_the_table(bench: Bench) -> None:
    bench.write(*texts(20))
    bench.run(until="embed")
    assert bench.tables() == {"documents", "documents_2"}
    assert "removed" in bench.executor().undo(bench.job())
    assert bench.tables() == {"documents"}
    with pytest.raises(ActionFailed, match="approve a new one"):
        bench.executor().do("build", bench.job())


def test_one_older_table_is_kept(bench: Bench) -> None:
    for round_ in range(4):
        bench.write(*texts(12, word=f"w{round_}"))
        bench.run(f"a{round_}")
    assert bench.tables() == {"documents", "documents_4"}


def test_after_a_crash_no_text_is_embedded_twice(bench: Bench) -> None:
    bench.write(*texts(60))
    results = bench.run(until="read")
    bench.endpoint.fail_with(None, None, None, says(400, {"error": {"message": "down"}}))
    with pytest.raises(ActionFailed):
        bench.executor().do("embed", bench.job(**results))
    assert len(bench.endpoint.embedded) == 30
    executor = bench.executor()
    assert executor.find("read", bench.job()) == results["read"]
    assert executor.find("embed", bench.job()) is None
    assert executor.do("embed", bench.job(**results)) == {"texts": 60}
    assert set(bench.endpoint.embedded.values()) == {1}


def start(bench: Bench, state: Path, die_at: str = "") -> subprocess.Popen[bytes]:
    """Carry the action out in a process of its own, which remembers in ``state`` where it was."""
    given = {"url": bench.url, "endpoint": bench.endpoint.url, "file": str(bench.file)}
    said = json.dumps(given | {"state": str(state), "die_at": die_at})
    command = [sys.executable, "-m", "rig.reindex_process", said]
    return subprocess.Popen(command, cwd=Path(__file__).parents[1])


@pytest.mark.parametrize("step", ReindexExecutor.steps)
def test_a_process_killed_after_a_step_leaves_nothing_to_be_done_twice(
    bench: Bench, tmp_path: Path, step: str
) -> None:
    bench.write(*texts(30))
    assert start(bench, tmp_path / "state", die_at=step).wait(60) == -signal.SIGKILL
    assert start(bench, tmp_path / "state").wait(60) == 0
    assert len(bench.live()) == 30
    assert set(bench.endpoint.embedded.values()) == {1}
    assert bench.tables() == {"documents", "documents_1"}


def test_a_process_killed_between_two_batches_pays_for_the_rest_only(bench: Bench, tmp_path: Path) -> None:
    bench.write(*texts(60))

    reached, killed = threading.Event(), threading.Event()

    def hold(asked: Asked) -> None:
        reached.set()
        killed.wait(60)
        asked.close_connection = True

    bench.endpoint.fail_with(None, None, None, hold)
    process = start(bench, tmp_path / "state")
    assert reached.wait(60)
    process.kill()
    process.wait(60)
    killed.set()
    assert bench.live() == {}
    assert start(bench, tmp_path / "state").wait(60) == 0
    assert len(bench.live()) == 60
    assert set(bench.endpoint.embedded.values()) == {1}
    assert len(bench.endpoint.bodies) == 7


def test_what_a_failed_action_has_paid_for_the_next_one_finds(bench: Bench) -> None:
    bench.write(*texts(60))
    # Ten texts cost 0.1 USD.
    bench.budget = 0.35 + 10 * 0.03
    results = bench.run(until="read")
    with pytest.raises(OverBudget):
        bench.executor().do("embed", bench.job(**results))
    paid = len(bench.endpoint.embedded)
    assert 0 < paid < 60
    bench.budget = float("inf")
    assert bench.run("a2")["read"]["to_embed"] == 60 - paid
    assert set(bench.endpoint.embedded.values()) == {1}


def test_every_step_may_be_done_again(bench: Bench) -> None:
    bench.write(*texts(30))
    executor = bench.executor()
    results: dict[str, Any] = {}
    for step in executor.steps:
        assert step == "read" or executor.find(step, bench.job(**results)) is None
        results[step] = executor.do(step, bench.job(**results))
        if step in ("read", "swap"):
            assert executor.find(step, bench.job(**results)) == results[step]
        else:
            assert executor.do(step, bench.job(**results)) == results[step]
    assert executor.do("swap", bench.job(**results)) == results["swap"]
    assert set(bench.endpoint.embedded.values()) == {1}


def test_costs_are_what_the_provider_counts_and_are_reserved_before(bench: Bench) -> None:
    bench.write(*texts(25))
    bench.run()
    assert bench.booked == pytest.approx([0.1, 0.1, 0.05])
    assert len(bench.reserved) == 3
    assert all(reserved > booked for reserved, booked in zip(bench.reserved, bench.booked, strict=True))


@pytest.mark.parametrize("fault", [busy, broken, cut_off, garbage])
def test_trouble_that_passes_is_waited_for(bench: Bench, fault: Callable[..., None]) -> None:
    bench.write(*texts(10))
    bench.endpoint.fail_with(fault, fault)
    bench.run()
    assert len(bench.live()) == 10
    assert len(bench.endpoint.bodies) == 3


def test_an_answer_that_is_lost_is_booked_because_it_may_have_to_be_paid(bench: Bench) -> None:
    bench.write(*texts(10))
    bench.endpoint.fail_with(cut_off, busy)
    bench.run()
    lost, refused, good = bench.booked
    assert lost > 0
    assert refused == 0
    assert good == pytest.approx(0.1)


ONE = [0.5] * DIM


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (says(200, {"data": []}), "0 vectors for 10 texts"),
        (says(200, {"data": [{"index": 0, "embedding": ONE}] * 10}), "numbered them wrongly"),
        (
            says(200, {"data": [{"index": n, "embedding": ONE[:5]} for n in range(10)]}),
            "a vector of 5 numbers",
        ),
        (says(200, {"data": [{"index": n, "embedding": [0] * DIM} for n in range(10)]}), "a vector of zeros"),
        (says(200, {"data": [{"index": n, "embedding": [1e9] * DIM} for n in range(10)]}), "not finite"),
        (
            says(200, {"data": [{"index": n, "embedding": "!"} for n in range(10)]}),
            "neither a list nor base64",
        ),
        (says(401, {"error": {"message": f"wrong key {KEY}"}}), "key is not accepted"),
        (says(400, {"error": {"message": f"too long for {KEY}"}}), r"status 400: too long for \*\*\*"),
        (says(302, {}), "status 302"),
        (garbage, "holds no embeddings, 4 times"),
        (broken, "status 500, 4 times"),
    ],
)
def test_what_a_provider_does_wrong_is_said_and_changes_nothing(
    bench: Bench, answer: Callable[..., None], said: str
) -> None:
    bench.write(*texts(10))
    bench.run()
    before = bench.live()
    bench.write(*texts(10, word="new"))
    bench.endpoint.always(answer)
    with pytest.raises(ActionFailed, match=said) as raised:
        bench.run("a2")
    assert KEY not in str(raised.value)
    assert bench.live() == before


def test_the_key_is_shown_to_the_endpoint_and_not_in_the_settings(bench: Bench) -> None:
    bench.write(*texts(3))
    bench.run()
    assert set(bench.endpoint.keys) == {f"Bearer {KEY}"}
    assert KEY not in repr(bench.settings())


def test_an_index_that_finds_too_little_is_not_swapped_in(bench: Bench) -> None:
    bench.write(*[f"{n} alone {n}" for n in range(1500)])
    poor = {"m": 2, "ef_construction": 4, "ef_search": 1, "max_ef_search": 2}
    with pytest.raises(ActionFailed, match="of the nearest ten with ef_search 2, and min_recall"):
        bench.run(index=poor, embedding={"batch_texts": 500})
    assert bench.live() == {}
    # The same index is good enough when more of it is looked at.
    found = bench.executor(index=poor | {"max_ef_search": 400}, min_recall=0.5).do("check", bench.job())
    assert found["ef_search"] > 2


def test_questions_of_the_record_measure_the_recall_where_they_fit(bench: Bench) -> None:
    bench.write(*texts(60))
    bench.run(until="build")
    with store.connect(bench.url, "test") as connection:
        register_vector(connection)
        ask(connection, 60, MODEL)
        ask(connection, 60, "another model")
        ask(connection, 60, MODEL, canary=True)
    assert bench.executor().do("check", bench.job())["questions"] == 60
    assert bench.executor().do("check", bench.job())["of"] == "queries"


def ask(connection: Connection, count: int, model: str, *, canary: bool = False) -> None:
    for n in range(count):
        connection.execute(
            "INSERT INTO embeddings_log (ts, id, kind, model, dim, dtype, embedding, canary, src_partition,"
            " src_offset, src_index) VALUES (now(), %s, 'query', %s, %s, 'float16', %s, %s, 0, %s, 0)",
            [str(n), model, DIM, HalfVector([float(n + 1), *([1.0] * (DIM - 1))]), canary, n],
        )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "has no documents"),
        ('{"id": "a", "text": "   "}\n', "has no documents"),
        ('{"id": "a", "text": "x"}\n{"id": "b", "te', "line 2 is not JSON"),
        ('{"id": "a", "text": "x"}\n[1]\n', "line 2 is no object"),
        ('{"text": "x"}\n', "line 1 has no id"),
        ('{"id": "a", "text": 7}\n', "line 1, document a, has no text"),
        ('{"id": "a", "text": "x"}\n{"id": "a", "text": "y"}\n', r"an id twice: Key \(id\)=\(a\)"),
    ],
)
def test_a_bad_source_is_said_and_nothing_is_left_of_it(bench: Bench, content: str, said: str) -> None:
    bench.write(*texts(10))
    bench.run()
    before, tables = bench.live(), bench.tables()
    bench.file.write_text(content)
    with pytest.raises(ActionFailed, match=said):
        bench.run("a2")
    assert (bench.live(), bench.tables()) == (before, tables)
    if "twice" not in said:
        with pytest.raises(ActionFailed, match=said):
            bench.executor().plan(bench.job("a3"))


def test_a_source_that_has_lost_most_of_its_documents_is_not_believed(bench: Bench) -> None:
    bench.write(*texts(20))
    bench.run()
    bench.write(*texts(5))
    with pytest.raises(ActionFailed, match="15 of 20 documents are gone"):
        bench.run("a2", max_gone=0.5)
    assert len(bench.live()) == 20


def test_a_dry_run_counts_and_asks_nobody(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write(*texts(40))
    bench.run()
    asked = len(bench.endpoint.bodies)
    bench.write(*texts(40), "a new one", "a new one", "and another")
    plan = bench.executor().plan(bench.job("a2"))
    assert plan.startswith("read 43 documents from the file ")
    assert "embed 2 texts with test-embedding (about 7 tokens, 0.01 USD)" in plan
    remote = {"kind": "http", "url": bench.endpoint.url}
    monkeypatch.setattr("socket.socket.connect", None)
    assert "the endpoint at 127.0.0.1" in bench.executor(source=remote).plan(bench.job("a2"))
    assert len(bench.endpoint.bodies) == asked
    assert bench.tables() == {"documents", "documents_1"}


def test_vectors_of_documents_are_published_once_kafka_takes_them(
    bench: Bench, embedded_broker: Broker
) -> None:
    bench.write(*texts(30))
    bench.bootstrap = embedded_broker.bootstrap
    executor = bench.executor(publish_sample=20, app="shop")
    results: dict[str, Any] = {}
    for step in executor.steps:
        results[step] = executor.do(step, bench.job(**results))
    executor.do("publish", bench.job(**results))
    found = [
        event
        for record in records(bench.bootstrap, "drift.embeddings.v1")
        for event in record.events("embedding")
    ]
    assert results["publish"] == {"published": 20}
    assert len(found) == 40
    assert len({event.id for event in found}) == 20  # type: ignore[union-attr]
    assert {(event.kind, event.model, event.app) for event in found} == {("document", MODEL, "shop")}  # type: ignore[union-attr]


def test_without_kafka_it_can_be_taken_up_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drift_aware.actions.reindexing.publishing._FLUSH_SECONDS", 0.1)
    bench.write(*texts(5))
    bench.run()
    bench.bootstrap = "127.0.0.1:1"
    with pytest.raises(Unreachable, match="5 of 5 vectors"):
        bench.executor().do("publish", bench.job())


def test_a_price_has_to_be_known(bench: Bench) -> None:
    with pytest.raises(ValueError, match="has no price"):
        bench.settings(prices_usd={})


def test_without_a_section_there_is_no_executor(database_url: str) -> None:
    assert reindex.make(make_settings(database_url=database_url)) is None


def test_a_plug_in_that_is_not_there_is_named(bench: Bench) -> None:
    with pytest.raises(SettingsError, match="no plug-in sharepoint; installed: none"):
        bench.executor(source={"kind": "plugin", "name": "sharepoint"})


def test_answers_are_to_be_as_good_as_they_were(bench: Bench) -> None:
    executor = bench.executor()
    worse = alert(1, kind="accuracy", metric="accuracy", current=0.7, baseline_value=0.9)
    found = executor.expected(worse)
    assert found is not None
    assert (found.metric, found.direction, found.current, found.target) == ("accuracy", "up", 0.7, 0.9)
    assert executor.expected(alert(1, kind="embedding", metric="embedding_cosine")) is None
