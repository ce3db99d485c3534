"""``drift-aware persist`` as the process it is in production: killed, restarted, stopped."""

import signal
import urllib.request
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import msgspec
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from drift_aware.schema.envelope import COLUMNS, encode_columns, encode_rows
from rig.brokers import Broker
from rig.commands import Command
from rig.services import wait_until
from rig_events import alert, baseline, embedding, interaction, publish, publish_alerts

Start = Callable[..., Command]
INTERACTIONS = 8_000
EMBEDDINGS = 4_000


def count(url: str, table: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(SQL("SELECT count(*) FROM {}").format(Identifier(table))).fetchone()
    assert row is not None
    return int(row[0])


def grown(url: str, seen: int) -> bool:
    return count(url, "interaction_log") > seen


def column(url: str, statement: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return [value for (value,) in connection.execute(statement)]


def one_by_one(numbers: Iterable[int]) -> list[tuple[str, bytes]]:
    return [(f"s{n // 3}", encode_rows([interaction(n)])) for n in numbers]


@pytest.mark.parametrize("kills", [2])
def test_every_event_is_stored_once_although_the_process_is_killed(
    broker: Broker, database_url: str, start_command: Start, kills: int
) -> None:
    publish(broker.bootstrap, "drift.interactions.v1", one_by_one(range(INTERACTIONS)))
    blocks = [range(first, first + 50) for first in range(0, EMBEDDINGS, 50)]
    publish(
        broker.bootstrap,
        "drift.embeddings.v1",
        [(str(block[0]), encode_columns([embedding(n) for n in block])) for block in blocks],
        COLUMNS,
    )
    seen = 0
    for _ in range(kills):
        process = start_command("persist", bootstrap=broker.bootstrap, database_url=database_url)
        wait_until(partial(grown, database_url, seen), 60, process.shown)
        process.kill()
        seen = count(database_url, "interaction_log")
    assert seen < INTERACTIONS, "the kills came too late to test anything"
    process = start_command("persist", bootstrap=broker.bootstrap, database_url=database_url)
    wait_until(
        lambda: (
            count(database_url, "interaction_log") >= INTERACTIONS
            and count(database_url, "embeddings_log") >= EMBEDDINGS
        ),
        60,
        process.shown,
    )
    assert process.stop() == 0
    assert sorted(column(database_url, "SELECT id FROM interaction_log")) == sorted(
        f"i{n}" for n in range(INTERACTIONS)
    )
    assert sorted(column(database_url, "SELECT id FROM embeddings_log")) == sorted(
        f"e{n}" for n in range(EMBEDDINGS)
    )
    sources = "SELECT (src_partition, src_offset, src_index)::text FROM interaction_log"
    assert len(set(column(database_url, sources))) == INTERACTIONS


def test_sigterm_ends_it_with_exit_code_0(broker: Broker, database_url: str, start_command: Start) -> None:
    process = start_command("persist", bootstrap=broker.bootstrap, database_url=database_url)
    publish_alerts(broker.bootstrap, [alert()])
    wait_until(lambda: count(database_url, "drift_events") == 1, 60, process.shown)
    process.send(signal.SIGTERM)
    assert process.wait(20) == 0


def test_an_installation_of_the_release_before_reads_the_baselines_from_their_beginning(
    broker: Broker, database_url: str, start_command: Start
) -> None:
    start = partial(start_command, "persist", bootstrap=broker.bootstrap, database_url=database_url)
    publish(broker.bootstrap, "drift.interactions.v1", one_by_one(range(10)))
    before = start()
    wait_until(lambda: count(database_url, "interaction_log") == 10, 60, before.shown)
    assert before.stop() == 0
    # What that release, which did not read them, leaves behind.
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM kafka_offset WHERE topic = 'drift.baselines.v1'")
    found = [baseline(segment=f"app={n}") for n in range(20)]
    publish(
        broker.bootstrap,
        "drift.baselines.v1",
        [(f"{each.segment}|{each.family}", msgspec.json.encode(each)) for each in found],
    )
    after = start()
    wait_until(lambda: count(database_url, "baseline") == 20, 60, after.shown)
    assert after.stop() == 0
    assert count(database_url, "interaction_log") == 10


def test_two_processes_share_the_partitions(
    kafka_broker: Broker, database_url: str, start_command: Start
) -> None:
    first = start_command("persist", bootstrap=kafka_broker.bootstrap, database_url=database_url)
    publish(kafka_broker.bootstrap, "drift.interactions.v1", one_by_one(range(2_000)))
    wait_until(lambda: count(database_url, "interaction_log") > 0, 60, first.shown)
    second = start_command("persist", bootstrap=kafka_broker.bootstrap, database_url=database_url)
    wait_until(lambda: "partitions assigned" in second.stderr, 60, second.shown)
    publish(kafka_broker.bootstrap, "drift.interactions.v1", one_by_one(range(2_000, 4_000)))
    wait_until(lambda: count(database_url, "interaction_log") >= 4_000, 60, second.shown)
    assert first.stop() == second.stop() == 0
    assert len(set(column(database_url, "SELECT id FROM interaction_log"))) == 4_000
    assert count(database_url, "interaction_log") == 4_000


def test_a_database_that_comes_back_is_gone_on_with(
    embedded_broker: Broker, database_url: str, start_command: Start
) -> None:
    process = start_command("persist", bootstrap=embedded_broker.bootstrap, database_url=database_url)
    publish(embedded_broker.bootstrap, "drift.interactions.v1", one_by_one(range(500)))
    wait_until(lambda: count(database_url, "interaction_log") == 500, 60, process.shown)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'drift-aware persist'"
        )
    publish(embedded_broker.bootstrap, "drift.interactions.v1", one_by_one(range(500, 1_000)))
    wait_until(lambda: count(database_url, "interaction_log") >= 1_000, 60, process.shown)
    assert len(set(column(database_url, "SELECT id FROM interaction_log"))) == 1_000
    assert "trying again" in process.stderr
    assert process.stop() == 0


def test_a_database_that_is_not_there_yet_is_waited_for(
    embedded_broker: Broker, start_command: Start
) -> None:
    process = start_command(
        "persist",
        bootstrap=embedded_broker.bootstrap,
        database_url="postgresql://drift:hush@127.0.0.1:1/drift",
    )
    wait_until(lambda: process.stderr.count("trying again") >= 3, 30, process.shown)
    assert process.stop() == 0
    assert "hush" not in process.stderr


def test_an_old_schema_ends_it_with_what_to_do(
    embedded_broker: Broker, empty_database_url: str, start_command: Start
) -> None:
    process = start_command("persist", bootstrap=embedded_broker.bootstrap, database_url=empty_database_url)
    assert process.wait(30) == 1
    assert "run: drift-aware db migrate" in process.stderr


def test_metrics_are_served_where_asked(
    embedded_broker: Broker, database_url: str, start_command: Start, free_port: int
) -> None:
    process = start_command(
        "persist",
        "--prometheus-port",
        str(free_port),
        bootstrap=embedded_broker.bootstrap,
        database_url=database_url,
    )
    publish(embedded_broker.bootstrap, "drift.interactions.v1", [("s", b"no json")])
    publish(embedded_broker.bootstrap, "drift.interactions.v1", one_by_one(range(3)))
    wait_until(lambda: count(database_url, "interaction_log") == 3, 60, process.shown)

    def scraped() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/metrics") as answer:
            return str(answer.read().decode())

    wait_until(lambda: 'drift_aware_sink_rows_total{table="interaction_log"} 3.0' in scraped(), 10, scraped)
    assert 'drift_aware_sink_skipped_total{reason="not_json",topic="drift.interactions.v1"} 1.0' in scraped()
