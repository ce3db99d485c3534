"""The benchmark of ingest: its arithmetic, its table, and a run on a real Postgres."""

from drift_aware.sql.embedded import EmbeddedPostgres
from ingest import BARE, CASES, INSERT, MANY, PATH, SINK, ingest_table, measure, share

RATES = {INSERT: [10.0], MANY: [100.0], BARE: [1000.0], PATH: [900.0], SINK: [500.0]}


def test_the_share_is_taken_round_by_round() -> None:
    rates = {BARE: [100.0, 1000.0, 10.0], PATH: [90.0, 800.0, 8.5]}
    assert share(rates, PATH) == 0.85


def test_the_table_has_a_line_for_each_case() -> None:
    lines = ingest_table(dict.fromkeys(CASES, RATES)).splitlines()
    assert len(lines) == 2 + len(CASES)
    assert lines[-1] == "| interactions | 10 | 100 | 1,000 | 900 | 90% | 500 | 50% |"


def test_the_smallest_run_measures_every_way(postgres_server: EmbeddedPostgres) -> None:
    del postgres_server  # that there is one is all that is asked of it
    found = measure(CASES, 100, 1, durable=False)
    assert all(rate > 0 for rates in found.values() for [rate] in rates.values())


def test_a_batch_is_what_the_sink_takes_at_once() -> None:
    [first, second] = CASES[0].batches(50 * 150)
    assert (len(first), len(second)) == (100, 50)
