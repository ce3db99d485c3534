"""``drift-aware publish``: files and tables to Kafka and on into Postgres, whole, interrupted and broken."""

import csv
import json
import signal
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pyarrow
import pyarrow.parquet
import pytest

from drift_aware.producers.simulate.lines import line
from drift_aware.schema.events import KINDS, Event, Interaction
from drift_aware.schema.segments import ALL
from drift_aware.schema.topics import SOURCES
from drift_aware.streams.status import totals
from rig.brokers import Broker
from rig.commands import Command
from rig.configuration import make_settings
from rig.kafka import free_ports
from rig.records import records
from rig.services import wait_until
from rig_events import NOON, embedding, evaluation, feedback, interaction

Start = Callable[..., Command]
SECRET = "p4ssw0rd"


def mapped(columns: dict[str, str]) -> list[str]:
    return [word for field, column in columns.items() for word in ("--map", f"{field}={column}")]


QUESTIONS = mapped(
    {
        "ts": "created_at",
        "user_query": "question",
        "model_response": "answer",
        "labels.user": "user_id",
    }
)
OPINIONS = mapped({"ts": "created_at", "interaction_id": "id", "score": "rating"})


def story(count: int) -> list[Event]:
    made: list[Event] = []
    for n in range(count):
        made += [interaction(n), feedback(n), evaluation(n)]
        made.append(embedding(n, session_id=f"s{n // 3}"))
    return made


def written(path: Path, events: Sequence[Event]) -> Path:
    path.write_bytes(b"".join(map(line, events)))
    return path


def published(broker: Broker) -> list[Event]:
    return [
        event
        for kind, topic in SOURCES.items()
        for record in records(broker.bootstrap, topic.name)
        for event in record.events(kind)
    ]


def ids(broker: Broker) -> list[str]:
    return sorted(event.id for event in published(broker) if isinstance(event, Interaction))


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()


def arrived(persist: Command, url: str, counts: dict[str, int]) -> None:
    """Wait until the tables have so many rows; one after the other, because `persist` locks some together."""
    for table, count in counts.items():
        statement = f"SELECT count(*) FROM {table}"
        wait_until(partial(lambda asked, n: rows(url, asked) == [(n,)], statement, count), 60, persist.shown)


def run(start: Start, *arguments: str, **given: Any) -> Command:
    command = start("publish", *arguments, **given)
    command.wait(90)
    return command


def as_built(events: Sequence[Event]) -> list[Any]:
    return sorted((KINDS[type(event)], msgspec.json.encode(event)) for event in events)


def test_a_file_of_all_kinds_is_on_the_topics_as_it_stands(
    broker: Broker, tmp_path: Path, start_command: Start
) -> None:
    events = story(300)
    file = written(tmp_path / "events.jsonl", events)
    done = run(start_command, str(file), "--json", bootstrap=broker.bootstrap)
    assert done.exit_code == 0, done.shown()
    assert json.loads(done.stdout)["published"] == dict.fromkeys(map(str, SOURCES), 300)
    sized = [
        msgspec.structs.replace(each, dim=8) if KINDS[type(each)] == "embedding" else each for each in events
    ]
    assert as_built(published(broker)) == as_built(sized)


def table(path: Path, count: int) -> Path:
    """A log as applications keep one."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "created_at", "question", "answer", "model", "user_id", "rating"])
        for n in range(count):
            when = f"2026-03-01T12:00:{n % 60:02}Z"
            writer.writerow([n, when, f'where, "{n}"\nplease?', "on its way", "gpt", n % 7, n % 5 + 1])
    return path


def test_a_table_of_comma_separated_values_is_in_postgres_row_for_row(
    kafka_broker: Broker, database_url: str, tmp_path: Path, start_command: Start
) -> None:
    file = str(table(tmp_path / "log.csv", 500))
    given = {"bootstrap": kafka_broker.bootstrap}
    persist = start_command("persist", database_url=database_url, **given)
    first = run(start_command, file, "--kind", "interaction", *QUESTIONS, "--set", "app=shop", **given)
    assert (first.exit_code, first.stdout) == (0, "published 500 x interaction\n")
    assert "columns left out: rating" in first.stderr
    assert run(start_command, file, "--kind", "feedback", *OPINIONS, **given).exit_code == 0
    stored = "SELECT id, user_query, i.app, i.model, labels->>'user', score FROM interaction_log AS i"
    stored += " JOIN feedback_log ON interaction_id = id ORDER BY id::int"
    expected = [
        (str(n), f'where, "{n}"\nplease?', "shop", "gpt", str(n % 7), float(n % 5 + 1)) for n in range(500)
    ]
    arrived(persist, database_url, {"interaction_log": 500, "feedback_log": 500})
    assert rows(database_url, stored) == expected


def test_parquet_is_in_postgres_row_for_row(
    embedded_broker: Broker, database_url: str, tmp_path: Path, start_command: Start
) -> None:
    file = tmp_path / "vectors.parquet"
    values = {
        "id": list(range(2500)),
        "when": [NOON + n for n in range(2500)],
        "embedding": [[0.5, n / 2500, 1.0] for n in range(2500)],
    }
    pyarrow.parquet.write_table(pyarrow.table(values), file)
    given = {"bootstrap": embedded_broker.bootstrap}
    persist = start_command("persist", database_url=database_url, **given)
    columns = mapped({"vector": "embedding", "ts": "when", "interaction_id": "id"})
    done = run(start_command, str(file), "--kind", "embedding", *columns, "--set", "model=small", **given)
    assert done.exit_code == 0, done.shown()
    stored = "SELECT interaction_id, (embedding::text)::jsonb->>0 FROM embeddings_log"
    arrived(persist, database_url, {"embeddings_log": 2500})
    assert sorted(rows(database_url, stored)) == sorted((str(n), "0.5") for n in range(2500))


def with_log(url: str, count: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "CREATE TABLE chat_log (id bigint, created_at timestamp, question text, answer text, model text,"
            " user_id uuid, rating numeric)"
        )
        connection.execute(
            "INSERT INTO chat_log SELECT n, timestamp '2026-03-01 12:00' + n * interval '1 s', 'why ' || n,"
            " 'because', 'gpt', gen_random_uuid(), CASE WHEN n %% 2 = 0 THEN 4.5 END"
            " FROM generate_series(1, %s) AS n",
            [count],
        )


def test_a_query_is_in_postgres_row_for_row(
    kafka_broker: Broker, database_url: str, start_command: Start
) -> None:
    with_log(database_url, 3000)
    given = {"bootstrap": kafka_broker.bootstrap, "database_url": database_url}
    persist = start_command("persist", **given)
    query = ("--from-postgres", "SELECT * FROM chat_log ORDER BY id", "--utc")
    first = run(start_command, *query, "--kind", "interaction", *QUESTIONS, **given)
    assert (first.exit_code, first.stdout) == (0, "published 3,000 x interaction\n"), first.shown()
    second = run(start_command, *query, "--kind", "feedback", *OPINIONS, "--json", **given)
    assert json.loads(second.stdout)["published"] == {"feedback": 1500}
    assert json.loads(second.stdout)["empty"] == 1500
    same = (
        "SELECT count(*) FROM chat_log AS c JOIN interaction_log AS i ON i.id = c.id::text"
        " AND i.ts = c.created_at AT TIME ZONE 'UTC' AND i.user_query = c.question"
        " AND i.labels->>'user' = c.user_id::text"
        " LEFT JOIN feedback_log AS f ON f.interaction_id = i.id AND f.ts = i.ts"
        " WHERE f.score IS NOT DISTINCT FROM c.rating"
    )
    arrived(persist, database_url, {"interaction_log": 3000, "feedback_log": 1500})
    assert rows(database_url, same) == [(3000,)]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("SELECT * FROM nothing", "the query cannot be read: relation"),
        ("DELETE FROM interaction_log", "the query cannot be read"),
        ("SELECT 1; DELETE FROM interaction_log", "the query cannot be read"),
        ("SELECT 1 AS id, 2 AS id", "two columns are called 'id'"),
        ("SELECT 1 AS n, 1/(2-n) AS x FROM generate_series(1, 2) AS n", "division by zero"),
    ],
)
def test_a_query_that_is_none_or_would_write_is_refused(
    database_url: str, start_command: Start, query: str, why: str
) -> None:
    refused = run(
        start_command,
        "--from-postgres",
        query,
        "--kind",
        "interaction",
        "--dry-run",
        database_url=database_url,
    )
    assert refused.exit_code == 2
    assert why in refused.stderr


@pytest.mark.parametrize(
    "url", [f"postgresql://me:{SECRET}@127.0.0.1:1/log", f"postgresql://me:{SECRET}@[::1/log"]
)
def test_an_address_that_does_not_answer_is_not_shown(
    start_command: Start, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("CHAT_LOG_URL", url)
    refused = run(
        start_command, "--from-postgres", "SELECT 1", "--database-url-env", "CHAT_LOG_URL", "--dry-run"
    )
    assert refused.exit_code in (1, 2)
    assert SECRET not in refused.shown()
    assert "address" in refused.stderr


def test_a_dry_run_reads_all_says_what_is_wrong_and_needs_no_kafka(
    tmp_path: Path, start_command: Start
) -> None:
    file = written(tmp_path / "events.jsonl", story(20))
    with file.open("ab") as lines:
        lines.write(b"no json\n" + b'{"type": "interaction", "id": "i"}\n' * 15)
    dry = run(start_command, str(file), "--dry-run")
    assert dry.exit_code == 1
    assert dry.stdout == "would publish 20 x embedding, 20 x evaluation, 20 x feedback, 20 x interaction\n"
    assert "line 81: not JSON" in dry.stderr
    assert "line 82: not a valid interaction: Object missing required field `ts`" in dry.stderr
    assert "line 91" not in dry.stderr
    assert "16 rows cannot be used" in dry.stderr


def test_what_cannot_be_used_is_set_aside_and_counts_once_it_is_mended(
    embedded_broker: Broker, tmp_path: Path, start_command: Start
) -> None:
    file, aside = tmp_path / "events.jsonl", tmp_path / "aside.jsonl"
    lines = [line(interaction(n, latency_ms="slow" if n % 3 == 0 else 5.0)) for n in range(30)]
    file.write_bytes(b"".join(lines))
    given = {"bootstrap": embedded_broker.bootstrap}
    first = run(start_command, str(file), "--rejects", str(aside), **given)
    assert (first.exit_code, first.stdout) == (1, "published 20 x interaction\n")
    assert aside.stat().st_mode & 0o777 == 0o600
    mended = aside.read_text().replace('"latency_ms":"slow"', '"latency_ms":5.0')
    assert mended.count('"rejected":"line ') == 10
    aside.write_text(mended)
    assert run(start_command, str(aside), **given).exit_code == 0
    assert ids(embedded_broker) == sorted(f"i{n}" for n in range(30))


def test_an_interrupted_file_is_gone_on_with_at_the_line_it_says(
    kafka_broker: Broker, tmp_path: Path, start_command: Start
) -> None:
    events = [interaction(n) for n in range(3000)]
    file = str(written(tmp_path / "events.jsonl", events))
    given = {"bootstrap": kafka_broker.bootstrap}
    runs, following = [], 1
    while following is not None:
        runs.append(interrupted(kafka_broker, partial(start_command, **given), file, following))
        following = json.loads(runs[-1].stdout)["next_line"]
        if following is not None:
            assert f"go on with --from-line {following}" in runs[-1].stderr
    assert runs[0].exit_code == 1, "the interruption came too late to test anything"
    assert ids(kafka_broker) == sorted(event.id for event in events)


def interrupted(broker: Broker, start: Start, file: str, from_line: int) -> Command:
    """A run that is stopped as soon as something of it has arrived."""
    seen = len(ids(broker))
    run = start("publish", file, "--json", "--rate", "1500", "--from-line", str(from_line))
    wait_until(lambda: run.exit_code is not None or len(ids(broker)) > seen, 60, run.shown)
    if run.exit_code is None:
        run.send(signal.SIGINT)
    run.wait(60)
    return run


def test_events_without_ids_have_the_same_ones_when_a_killed_run_is_begun_anew(
    kafka_broker: Broker, tmp_path: Path, start_command: Start
) -> None:
    file = tmp_path / "events.csv"
    file.write_text("ts,user_query\n" + "".join(f"{NOON + n // 2},hi\n" for n in range(3000)))
    given = {"bootstrap": kafka_broker.bootstrap}
    killed = start_command("publish", str(file), "--kind", "interaction", "--rate", "1500", **given)
    wait_until(lambda: ids(kafka_broker), 60, killed.shown)
    killed.kill()
    before = ids(kafka_broker)
    assert 0 < len(before) < 3000, "the kill came too late to test anything"
    assert run(start_command, str(file), "--kind", "interaction", **given).exit_code == 0
    found = ids(kafka_broker)
    assert len(found) == len(before) + 3000
    assert len(set(found)) == 3000


def test_texts_leave_as_the_settings_of_redaction_say(
    embedded_broker: Broker, tmp_path: Path, start_command: Start
) -> None:
    file = written(tmp_path / "events.jsonl", [interaction(1, user_query="I am jo@example.org")])
    done = run(start_command, str(file), bootstrap=embedded_broker.bootstrap, redact__mode="mask")
    assert done.exit_code == 0
    assert "1 pieces of text redacted" in done.stderr
    (found,) = published(embedded_broker)
    assert isinstance(found, Interaction)
    assert found.user_query == "I am [email]"


def test_without_kafka_nothing_is_read(tmp_path: Path, start_command: Start) -> None:
    file = written(tmp_path / "events.jsonl", story(1))
    away = run(start_command, str(file), bootstrap=f"127.0.0.1:{free_ports(1)[0]}")
    assert away.exit_code == 1
    assert away.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "either a file or"),
        (["events.jsonl", "--from-postgres", "SELECT 1"], "either a file or"),
        (["nowhere.jsonl"], "cannot read nowhere.jsonl"),
        (["events.txt"], "--format"),
        (["events.csv", "--map", "ts"], "--map ts"),
    ],
)
def test_misuse_is_told_in_a_line(start_command: Start, arguments: list[str], why: str) -> None:
    refused = run(start_command, *arguments, "--dry-run")
    assert refused.exit_code == 2
    assert why in refused.stderr


def test_a_past_that_is_there_before_the_worker_starts_counts_whole(
    kafka_broker: Broker, tmp_path: Path, start_command: Start
) -> None:
    past = tmp_path / "past.jsonl"
    # Four hours, kind after kind.
    story = ("--scenario", "baseline", "--events", "1500", "--rate", "0.1", "--out", str(past))
    assert start_command("simulate", *story).wait() == 0
    lines = past.read_bytes().splitlines(keepends=True)
    for kind in SOURCES:
        file = tmp_path / f"{kind}.jsonl"
        file.write_bytes(b"".join(each for each in lines if each.startswith(b'{"type":"%s"' % kind.encode())))
        assert run(start_command, str(file), bootstrap=kafka_broker.bootstrap).exit_code == 0
    worker = start_command("worker", bootstrap=kafka_broker.bootstrap)
    settings = make_settings(kafka_broker.bootstrap)
    wait_until(lambda: totals(settings).get(ALL, {}).get("interactions") == 1500, 90, worker.shown)
    wait_until(lambda: totals(settings)[ALL]["embeddings"] == 1500, 60, worker.shown)
    assert worker.stop() == 0
    assert totals(settings)[ALL]["late"] == 0
