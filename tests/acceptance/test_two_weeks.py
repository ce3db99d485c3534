"""Two weeks go through the real processes; the check of one against the other is what SQL and scipy say.

Event times lie in the last fortnight, in bursts: what happens in between costs nothing. The worker is killed
on the way, so the sums of days have to be as exact as the rows.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray
from pgvector.psycopg import register_vector
from scipy.spatial.distance import cosine
from scipy.stats import entropy, ks_2samp

from drift_aware.dashboards.check import DriftCheck, drift_check, drift_metrics
from drift_aware.dashboards.overview import drift_summary
from drift_aware.schema.envelope import COLUMNS, encode_columns
from drift_aware.schema.events import Evaluation, Event, Feedback, Kind
from drift_aware.schema.topics import SOURCES
from drift_aware.sql.queries import QUERIES
from drift_aware.streams import bins
from drift_aware.streams.comparison import Measure
from rig.brokers import Broker
from rig.commands import Command
from rig.services import wait_until
from rig_events import embedding, interaction, publish

Numbers = NDArray[np.float64]
StartCommand = Callable[..., Command]

WEEK, BURSTS, PLACES, DIM = 7, 4, 4, 12
# So many events of each kind come at once to each of the PLACES.
OF_KIND: dict[Kind, int] = {"interaction": 24, "embedding": 12, "feedback": 6, "evaluation": 6}
PUBLISHED = {kind: 2 * WEEK * BURSTS * PLACES * number for kind, number in OF_KIND.items()}
SETTINGS = {"pane_seconds": 2, "allowed_lateness_seconds": 1, "segments": '["app"]'}
SECONDS = 120.0
INTENTS = ("status", "refund", "other")
TABLES = {
    "interaction": "interaction_log",
    "embedding": "embeddings_log",
    "feedback": "feedback_log",
    "evaluation": "evaluation_log",
}


def yesterday() -> date:
    return datetime.now(UTC).date() - timedelta(days=1)


class Traffic:
    """A calm week, and one with more refusals, slower answers, other intents, worse ratings and grades.

    Args:
        today: its last day.
    """

    def __init__(self, today: date, seed: int = 3) -> None:
        self._rng = np.random.default_rng(seed)
        self._begin = datetime.combine(today - timedelta(days=2 * WEEK - 1), datetime.min.time(), UTC)
        self._number = 0

    def records(self, kind: Kind) -> Iterator[tuple[str, bytes]]:
        """Key and value of every record of a topic, by event time."""
        for burst in range(2 * WEEK * BURSTS):
            at = self._begin + timedelta(hours=24 / BURSTS) * burst
            second = burst >= WEEK * BURSTS
            for place in range(PLACES):
                first = round(at.timestamp() * 1000)
                events = [
                    self._event(kind, first + n, second, f"{place}-{burst}") for n in range(OF_KIND[kind])
                ]
                yield f"place {place}", encode_columns(events)

    def _event(self, kind: Kind, ts: int, second: bool, place: str) -> Event:
        self._number += 1
        # Every third event goes on with a conversation, of three others.
        session = f"{place}-{self._number // 9}" if self._number % 3 == 0 else None
        segment: dict[str, Any] = {"app": str(self._rng.choice(["shop", "bank"])), "ts": ts}
        match kind:
            case "interaction":
                return interaction(self._number, session_id=session, **segment, **self._answer(second))
            case "embedding":
                vector = self._rng.normal([1.0, float(second), *[0.0] * (DIM - 2)], 0.5)
                halves = vector.astype("<f2").tobytes()
                return embedding(self._number, vector=halves, dim=DIM, session_id=session, **segment)
            case "feedback":
                stars = None if self._number % 4 == 0 else float(self._rng.integers(2 - second, 6))
                done = bool(self._rng.random() < 0.8)
                rated: dict[str, Any] = {
                    "score": stars,
                    "thumbs": "up",
                    "task_success": done,
                    "session_id": session,
                }
                return Feedback(interaction_id=f"i{self._number}", **rated, **segment)
            case "evaluation":
                right = bool(self._rng.random() < (0.7 if second else 0.9))
                said = None if self._number % 2 else right
                answer: dict[str, Any] = {"expected": "a", "predicted": "a" if right else "b"}
                return Evaluation(eval_set="golden", run_id="r1", correct=said, **answer, **segment)

    def _answer(self, second: bool) -> dict[str, Any]:
        rng = self._rng
        return {
            "refusal": bool(rng.random() < (0.2 if second else 0.03)),
            "toxicity": round(float(rng.beta(1, 12)), 6),
            "error": "timeout" if rng.random() < 0.02 else None,
            "latency_ms": round(float(rng.lognormal(6 + second, 0.6)), 3),
            "intent": str(rng.choice(INTENTS, p=[0.2, 0.6, 0.2] if second else [0.6, 0.2, 0.2])),
            "model_response": "x" * int(rng.integers(1, 300)),
        }


class Record:
    """The raw rows of two windows, as anybody may ask for them."""

    def __init__(self, connection: psycopg.Connection[Any], today: date, app: str | None) -> None:
        self._connection, self._app = connection, app
        self.now = today - timedelta(days=WEEK - 1), today + timedelta(days=1)
        self.then = today - timedelta(days=2 * WEEK - 1), self.now[0]

    def column(self, what: str, table: str, window: tuple[date, date]) -> Numbers:
        rows = self._connection.execute(
            f"SELECT x FROM (SELECT {what} AS x FROM {table} WHERE ts >= %s AND ts < %s"
            " AND (%s::text IS NULL OR app = %s)) AS of_window WHERE x IS NOT NULL",
            [*(datetime.combine(day, datetime.min.time(), UTC) for day in window), self._app, self._app],
        ).fetchall()
        return np.array([each.to_numpy() if table == "embeddings_log" else each for (each,) in rows], float)

    def both(self, what: str, table: str) -> tuple[Numbers, Numbers]:
        return self.column(what, table, self.now), self.column(what, table, self.then)


def half_octaves(values: Numbers) -> Numbers:
    """Two bins for every doubling; 0 and 1 have bins of their own."""
    whole = np.maximum(1, np.rint(values))
    octave = np.floor(np.log2(whole))
    return np.where(values < 0.5, 0, np.where(whole < 2, 1, 2 * octave + (whole >= 1.5 * 2**octave)))


def divergences(now: Numbers, then: Numbers) -> tuple[float, float, float]:
    """KL, PSI and KS of two samples of bins by scipy; half a count goes to every bin in use."""
    used = np.union1d(now, then)
    p, q = ([np.sum(sample == place) + 0.5 for place in used] for sample in (now, then))
    forward, backward = float(entropy(p, q)), float(entropy(q, p))
    return forward, forward + backward, float(ks_2samp(now, then).statistic)


TOXICITY = f"width_bucket(toxicity, ARRAY{list(bins.TOXICITY_EDGES)}::float8[])"
STARS = "coalesce(score, CASE thumbs WHEN 'up' THEN 5 WHEN 'down' THEN 1 END)"
# Metric to its table, its value, and how its bins come of values or of SQL.
SCALARS: dict[str, tuple[str, str, str | Callable[[Numbers], Numbers]]] = {
    "refusal_rate": ("interaction_log", "refusal::int", "refusal::int"),
    "toxicity_rate": ("interaction_log", "(toxicity >= 0.5)::int", "(toxicity >= 0.5)::int"),
    "error_rate": ("interaction_log", "coalesce(error, false)::int", "coalesce(error, false)::int"),
    "toxicity": ("interaction_log", "toxicity", TOXICITY),
    "latency_ms": ("interaction_log", "latency_ms", half_octaves),
    "response_length": ("interaction_log", "length(model_response)", half_octaves),
    "feedback_mean": ("feedback_log", STARS, np.rint),
    "task_success_rate": ("feedback_log", "task_success::int", "task_success::int"),
    "accuracy": (
        "evaluation_log",
        "coalesce(correct, expected = predicted)::int",
        "coalesce(correct, expected = predicted)::int",
    ),
}


def assert_scalar(record: Record, metric: str, measure: Measure) -> None:
    table, value, binned = SCALARS[metric]
    now, then = record.both(value, table)
    places = record.both(binned, table) if isinstance(binned, str) else (binned(now), binned(then))
    assert (measure.events, measure.baseline_events) == (len(now), len(then)), metric
    assert (measure.current, measure.baseline) == pytest.approx((now.mean(), then.mean()), rel=1e-6), metric
    found = measure.kl, measure.psi, measure.ks
    assert found == pytest.approx(divergences(*places), rel=1e-9, abs=1e-12), metric


def assert_is_what_sql_and_scipy_say(record: Record, check: DriftCheck) -> None:
    measures = {each.metric: each for each in check.measures}
    for metric in SCALARS:
        assert_scalar(record, metric, measures[metric])
    intents = record.both(f"array_position(ARRAY{list(INTENTS)}, intent)", "interaction_log")
    kl, psi, _ = divergences(*intents)
    assert (measures["intent"].kl, measures["intent"].psi) == pytest.approx((kl, psi))
    now, then = (
        (rows / np.linalg.norm(rows, axis=1, keepdims=True)).mean(axis=0)
        for rows in record.both("embedding", "embeddings_log")
    )
    # Sums are of vectors on a grid of 2**-14.
    assert measures["query_embedding"].cosine == pytest.approx(cosine(now, then), abs=1e-4)
    for window, span in ((record.now, check.current), (record.then, check.baseline)):
        raw = {
            table: len(record.column("1", table, window)) for table in TABLES.values() if "emb" not in table
        }
        assert {TABLES[kind]: span.families[kind] for kind in TABLES if kind != "embedding"} == raw


def counted(url: str, whole: bool = True) -> dict[str, int]:
    """Kind to the events of ``all``, or of all others, in the sums of days."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT split_part(family, '/', 1), sum(events)"
            " FROM day_sums WHERE (segment = 'all') = %s GROUP BY 1",
            [whole],
        ).fetchall()
    return {kind: int(events) for kind, events in rows}


def stored(url: str) -> dict[str, int]:
    """Kind to the rows of its log."""
    with psycopg.connect(url) as connection:
        return {
            kind: connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
            for kind, table in TABLES.items()
        }


def publish_all(bootstrap: str, traffic: Traffic) -> None:
    for kind, topic in SOURCES.items():
        publish(bootstrap, topic.name, traffic.records(kind), COLUMNS)


@pytest.mark.timeout(240)
def test_a_week_against_the_week_before_is_what_the_raw_rows_say(
    embedded_broker: Broker, database_url: str, start_command: StartCommand
) -> None:
    today, where = yesterday(), {"bootstrap": embedded_broker.bootstrap, "database_url": database_url}
    publish_all(embedded_broker.bootstrap, Traffic(today))
    roles = [start_command(verb, **where, **SETTINGS) for verb in ("persist", "worker")]
    wait_until(lambda: counted(database_url), SECONDS, shown(roles))
    roles.pop().kill()
    assert counted(database_url) != PUBLISHED, "the kill came too late to test anything"
    roles.append(start_command("worker", **where, **SETTINGS))
    wait_until(lambda: counted(database_url) == PUBLISHED, SECONDS, shown(roles))
    wait_until(lambda: counted(database_url, whole=False) == PUBLISHED, SECONDS, shown(roles))
    wait_until(lambda: stored(database_url) == PUBLISHED, SECONDS, shown(roles))
    with psycopg.connect(database_url) as connection:
        register_vector(connection)
        for segment, app in (("all", None), ("app=shop", "shop")):
            check = drift_check(connection, WEEK, segment, today)
            assert_is_what_sql_and_scipy_say(Record(connection, today, app), check)
            assert check.severity == "critical"
            assert check.overall_score == check.embedding_score == 1.0
        assert (
            sum(day.events["interaction"] for day in drift_metrics(connection, 2 * WEEK, today=today))
            == (PUBLISHED["interaction"])
        )
        whole = drift_summary(connection, today).segments[0]
        assert whole.events_week["interaction"] == PUBLISHED["interaction"] // 2
        assert sum(whole.readings.values()) > 0


def shown(roles: Sequence[Command]) -> Callable[[], str]:
    return lambda: "\n".join(role.shown() for role in roles)


def test_a_check_reads_no_other_segments_rows(database_url: str) -> None:
    today = yesterday()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO day_sums SELECT 'app=' || s, f, %s::date - d, now(), 1, '\\x00'"
            " FROM generate_series(1, 1000) AS s, generate_series(0, 59) AS d,"
            " unnest(ARRAY['interaction', 'feedback']) AS f",
            [today],
        )
        connection.execute("ANALYZE day_sums")
        bounds = {"segment": "app=7", "first": today - timedelta(days=13), "last": today}
        explain = b"EXPLAIN (ANALYZE, FORMAT JSON) " + QUERIES["days_of_segment"].as_bytes()
        plan = connection.execute(explain, bounds).fetchall()[0][0][0]["Plan"]
        assert len(connection.execute(QUERIES["days_of_segment"], bounds).fetchall()) == 28
    scans = [
        node for node in nodes(plan) if "day_sums" in str(node.get("Relation Name", node.get("Index Name")))
    ]
    conditions = [str(node["Index Cond"]) for node in scans if "Index Cond" in node]
    assert conditions
    assert all("segment = 'app=7'" in condition for condition in conditions)
    assert not any("Filter" in node or node["Node Type"] == "Seq Scan" for node in scans)
    assert all(node["Actual Rows"] <= 28 for node in scans)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)
