"""Exports from a real Postgres: what is in the files, what is not, and what a cut one leaves."""

import io
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pyarrow.parquet as pq
import pytest
from prometheus_client import CollectorRegistry

from drift_aware.schema.envelope import COLUMNS, ROWS, encode_columns, encode_rows
from drift_aware.schema.errors import SettingsError
from drift_aware.schema.events import KINDS, TYPES
from drift_aware.schema.metrics import SinkMetrics
from drift_aware.schema.topics import SOURCES
from drift_aware.sql import export_files, store
from drift_aware.sql.erasure import forget
from drift_aware.sql.export import Selection, What, dimensions_of, moment_of
from drift_aware.sql.export_files import Format
from drift_aware.sql.export_verb import copy
from drift_aware.sql.sink import Sink
from drift_aware.sql.tombstones import Names
from drift_aware.sql.work import Record
from drift_aware.streams import replay
from rig.commands import Command
from rig.configuration import environment
from rig.services import wait_until
from rig_events import NOON, embedding, feedback, interaction

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
SINCE = ("--since", "2026-03-01")
Start = Callable[..., Command]


def stored(url: str, *events: Any) -> None:
    with store.connect(url, "test") as connection, connection.transaction():
        sink = Sink(SinkMetrics(CollectorRegistry()), now=lambda: NOW)
        sink.prepare(connection)
        for event in events:
            kind = KINDS[type(event)]
            columns = kind == "embedding"
            value = (encode_columns if columns else encode_rows)([event])
            form = COLUMNS if columns else ROWS
            sink.handle(connection, [Record(SOURCES[kind].name, 0, 0, value, form)])


def exported(url: str, what: What, form: Format = "jsonl", **selection: Any) -> bytes:
    """What the file would hold."""
    file = io.BytesIO()
    with store.connect(url, "test") as connection:
        chosen = Selection(what, **({"since": moment_of("2026-03-01")} | selection))
        copy(connection, chosen, export_files.writer(form, what, file))
    return file.getvalue()


def lines(url: str, what: What, **selection: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in exported(url, what, **selection).splitlines()]


def table(url: str, what: What) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(io.BytesIO(exported(url, what, "parquet"))).to_pylist()
    return found


def test_exported_events_are_those_that_were_published_and_replay_reads_them(database_url: str) -> None:
    vector = msgspec.structs.replace(embedding(1), dim=8)
    events = [interaction(1), interaction(2, error=None, labels=None), feedback(1), vector]
    stored(database_url, *reversed(events))
    unused = replay.Unused(lambda number, why: None)
    kinds: tuple[What, ...] = ("interactions", "feedback", "embeddings")
    found = [
        msgspec.json.decode(line.raw, type=TYPES[line.kind])
        for what in kinds
        for line in replay.read(exported(database_url, what).splitlines(), unused)
    ]
    assert unused.bad == 0
    assert found == events


def test_the_command_writes_the_file_for_its_owner(
    start_command: Start, database_url: str, tmp_path: Path
) -> None:
    stored(database_url, interaction(1), interaction(2, app="other"))
    file = tmp_path / "out"
    options = ("--segment", "app=shop", "--until", "2026-03-02", "--output")
    command = start_command("export", "interactions", *SINCE, *options, str(file), database_url=database_url)
    assert command.wait(60) == 0
    assert [json.loads(line)["id"] for line in file.read_text().splitlines()] == ["i1"]
    assert (file.stat().st_mode & 0o777) == 0o600
    assert command.stderr.endswith("exported 1 rows\n")
    command = start_command("export", "interactions", *SINCE, "--output", "-", database_url=database_url)
    assert command.wait(60) == 0
    assert [json.loads(line)["id"] for line in command.stdout.splitlines()] == ["i1", "i2"]


def test_times_and_segments_select(database_url: str) -> None:
    stored(
        database_url,
        interaction(1, ts=NOON - 86_400_000),
        interaction(2),
        interaction(3, app="other"),
        interaction(4, app="a,b", model="m"),
        interaction(5, ts=NOON + 60_000),
    )

    def ids(**selection: Any) -> list[str]:
        return [line["id"] for line in lines(database_url, "interactions", **selection)]

    assert ids() == ["i2", "i3", "i4", "i5"]
    assert ids(until=moment_of("2026-03-01T12:00:30Z"), dimensions={"app": "shop"}) == ["i2"]
    everything = moment_of("2026-02-28T00:00:00Z")
    assert ids(since=everything, dimensions=dimensions_of("app=a%2Cb,model=m")) == ["i4"]
    assert ids(since=moment_of("2027-01-01")) == []


def test_training_holds_what_people_liked_once_and_nothing_forgotten(database_url: str) -> None:
    stored(
        database_url,
        *(interaction(n, user_query=f"q{n}", model_response=f"a{n}", error=None) for n in range(1, 9)),
        interaction(9, user_query="q1 ", model_response=" a1", error=None),
        interaction(10, user_query=None, error=None),
        interaction(11, user_query="q11", error="timeout"),
        *(feedback(n, score=None, thumbs="up", task_success=None) for n in (1, 9, 10, 11)),
        feedback(2, score=4.0, thumbs=None),
        *(feedback(3, score=score) for score in (5.0, 2.0)),
        feedback(4, score=3.9),
        feedback(5, score=5.0, task_success=False),
        feedback(6, score=5.0),
        feedback(7, score=None, thumbs="down"),
        feedback(12, score=5.0),
    )
    with store.connect(database_url, "test") as connection:
        forget(connection, Names(interactions=frozenset({"i6"})))
        # As if it had been cut short between the name and the text.
        connection.execute(
            "UPDATE interaction_log SET user_query = 'back', model_response = 'x' WHERE id = 'i6'"
        )
    found = lines(database_url, "training")
    assert [[message["role"] for message in line["messages"]] for line in found] == [
        ["user", "assistant"]
    ] * 2
    assert [[each["content"] for each in line["messages"]] for line in found] == [["q1", "a1"], ["q2", "a2"]]
    assert table(database_url, "training") == found
    more = lines(database_url, "training", min_score=3.5)
    assert [line["messages"][0]["content"] for line in more] == ["q1", "q2", "q3", "q4"]


def test_canaries_are_in_no_export(database_url: str) -> None:
    stored(database_url, embedding(1), embedding(2, canary=True))
    assert [row["id"] for row in lines(database_url, "embeddings")] == ["e1"]
    assert [row["id"] for row in table(database_url, "embeddings")] == ["e1"]


def test_what_is_forgotten_is_in_no_export(database_url: str) -> None:
    theirs = interaction(2, labels={"user": "jo"}, session_id="theirs")
    stored(database_url, interaction(1), theirs, embedding(2), feedback(2))
    with store.connect(database_url, "test") as connection:
        forget(connection, Names(users=frozenset({"jo"})))
    assert [line["id"] for line in lines(database_url, "interactions")] == ["i1"]
    assert exported(database_url, "embeddings") + exported(database_url, "feedback") == b""


def test_parquet_has_the_columns_of_the_tables(database_url: str) -> None:
    stored(database_url, interaction(1), interaction(2, labels=None), embedding(1), feedback(1))
    first, second = table(database_url, "interactions")
    assert (first["labels"], second["labels"]) == ([("region", "eu")], None)
    assert first["ts"] == datetime.fromtimestamp((NOON + 1) / 1000, UTC)
    assert (first["error"], first["error_text"], first["turn"]) == (True, "timeout", 1)
    [vector] = table(database_url, "embeddings")
    assert (len(vector["embedding"]), vector["dim"]) == (8, 8)
    assert table(database_url, "feedback")[0]["comment"] == "thanks"


def test_an_empty_export_is_an_empty_file(database_url: str) -> None:
    assert exported(database_url, "feedback") == b""
    assert table(database_url, "training") == []


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_an_export_that_is_ended_leaves_nothing_under_the_name(
    start_command: Start, database_url: str, tmp_path: Path, which: signal.Signals
) -> None:
    stored(database_url, interaction(1))
    target = tmp_path / "out.jsonl"
    with psycopg.connect(database_url) as blocker:
        blocker.execute("LOCK TABLE interaction_log IN ACCESS EXCLUSIVE MODE")
        command = start_command(
            "export", "interactions", *SINCE, "--output", str(target), database_url=database_url
        )
        wait_until(lambda: list(tmp_path.glob(".out.jsonl.*.part")), 30, command.shown)
        command.send(which)
        assert command.wait(30) != 0
    assert not target.exists()
    assert "Traceback" not in command.stderr
    if which != signal.SIGKILL:
        assert list(tmp_path.glob(".out.jsonl.*.part")) == []


def test_a_file_that_is_there_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("old")
    with suppress(ZeroDivisionError), export_files.written_whole(target) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert target.read_text() == "old"
    with export_files.written_whole(target) as file:
        file.write(b"new")
    assert target.read_text() == "new"


def test_what_is_no_regular_file_is_not_replaced() -> None:
    with export_files.written_whole(Path("/dev/null")) as file:
        file.write(b"gone")
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--since", "yesterday", "--output", "-"), "yesterday is no time"),
        ((*SINCE, "--output", "/no/such/folder/x"), "cannot write /no/such/folder/x: No such file"),
    ],
)
def test_a_wrong_option_is_one_line(
    start_command: Start, database_url: str, arguments: tuple[str, ...], says: str
) -> None:
    command = start_command("export", "interactions", *arguments, database_url=database_url)
    assert command.wait(60) == 2
    assert command.stdout == ""
    assert says in command.stderr
    assert len(command.stderr.splitlines()) == 1


def test_what_postgres_refuses_is_one_line_and_no_file(
    start_command: Start, database_url: str, tmp_path: Path
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE feedback_log RENAME TO elsewhere")
    command = start_command(
        "export", "feedback", *SINCE, "--output", str(tmp_path / "out"), database_url=database_url
    )
    assert command.wait(60) == 1
    assert command.stderr.endswith('relation "feedback_log" does not exist\n')
    assert len(command.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name and "std" not in path.name] == []


@pytest.mark.parametrize("segment", ["region=eu", "app", "app=shop;model=x,"])
def test_what_names_no_segment_is_an_error(segment: str) -> None:
    with pytest.raises(SettingsError, match="is no segment"):
        dimensions_of(segment)


def test_without_pyarrow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(SettingsError, match=r"drift-aware\[parquet\]"):
        export_files.writer("parquet", "feedback", io.BytesIO())


def test_options_are_read_as_people_write_them() -> None:
    assert moment_of("2026-03-01") == datetime(2026, 3, 1, tzinfo=UTC)
    assert moment_of("2026-03-01T01:00:00+01:00") == datetime(2026, 3, 1, tzinfo=UTC)
    assert dimensions_of("tenant=x%3Dy") == {"tenant": "x=y"}


MEASURED = """
import resource, sys
from drift_aware.schema.cli import main
sys.argv = ["drift-aware", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_memory_does_not_grow_with_the_rows(database_url: str, tmp_path: Path, form: str) -> None:
    fill = """
        INSERT INTO interaction_log (ts, id, user_query, model_response, src_partition, src_offset, src_index)
        SELECT %s + n * interval '1 millisecond', n::text, md5(n::text) || repeat('x', 700),
            repeat(md5(n::text), 25), 0, n, 0
        FROM generate_series(%s::int, %s::int) AS n
    """

    def peak() -> int:
        out = tmp_path / "out"
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                MEASURED,
                "export",
                "interactions",
                *SINCE,
                "--format",
                form,
                "--output",
                out,
            ],
            env=environment(None, database_url),
            capture_output=True,
            text=True,
            check=True,
        )
        assert f"exported {rows:,} rows" in done.stderr
        return int(done.stderr.split()[-1])

    peaks = []
    with psycopg.connect(database_url, autocommit=True) as connection:
        for first, rows in ((1, 3_000), (3_001, 30_000)):
            connection.execute(fill, [NOW, first, rows])
            peaks.append(peak())
    assert peaks[1] < 1.15 * peaks[0], peaks
