"""Events, alerts and readings for tests, and a way to put them on a broker."""

from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
from confluent_kafka import Producer
from numpy.typing import NDArray

from drift_aware.schema.alerts import Alert, Baseline, DaySums, Reading, Readings, Window
from drift_aware.schema.envelope import ROWS
from drift_aware.schema.events import Embedding, Evaluation, Feedback, Interaction
from drift_aware.streams.reference import fit
from drift_aware.streams.vectors import rows_on_grid

# 2026-03-01T12:00:00Z
NOON = 1_772_366_400_000


def interaction(number: int, **fields: Any) -> Interaction:
    values: dict[str, Any] = {
        "id": f"i{number}",
        "ts": NOON + number,
        "app": "shop",
        "model": "gpt",
        "prompt_version": "7",
        "tenant": "acme",
        "session_id": f"s{number // 3}",
        "turn": number % 3,
        "user_query": "where is my order?",
        "model_response": "on its way",
        "intent": "status",
        "refusal": False,
        "toxicity": 0.25,
        "error": "timeout",
        "finish_reason": "stop",
        "latency_ms": 12.5,
        "input_tokens": 7,
        "output_tokens": 3,
        "cost_usd": 0.001,
        "labels": {"region": "eu"},
    }
    return Interaction(**(values | fields))


def embedding(number: int, dim: int = 8, **fields: Any) -> Embedding:
    vector = np.random.default_rng(number).normal(size=dim).astype("<f2").tobytes()
    values: dict[str, Any] = {
        "id": f"e{number}",
        "ts": NOON + number,
        "vector": vector,
        "dtype": "float16",
        "interaction_id": f"i{number}",
        "app": "shop",
        "model": "small",
    }
    return Embedding(**(values | fields))


def feedback(number: int, **fields: Any) -> Feedback:
    values: dict[str, Any] = {
        "ts": NOON + number,
        "score": 4.0,
        "thumbs": "up",
        "task_success": True,
        "comment": "thanks",
    }
    return Feedback(interaction_id=f"i{number}", **(values | fields))


def evaluation(number: int, **fields: Any) -> Evaluation:
    values: dict[str, Any] = {"expected": "a", "predicted": "b", "correct": False, "score": 0.5}
    return Evaluation(eval_set="golden", run_id=f"r{number}", ts=NOON + number, **(values | fields))


def alert(number: int = 1, **fields: Any) -> Alert:
    values: dict[str, Any] = {
        "id": f"a{number}",
        "revision": 1,
        "status": "firing",
        "severity": "warning",
        "kind": "behavior",
        "metric": "refusal_rate",
        "detector": "evidence",
        "segment": "app=shop,model=gpt",
        "onset": NOON - 60_000,
        "ts": NOON,
        "current": 0.12,
        "baseline_value": 0.03,
        "score": 40.0,
        "threshold": 20.0,
        "window": Window(NOON - 600_000, NOON, 1234),
        "summary": "refusals rose from 3 % to 12 %",
        "examples": ["i1", "i2"],
    }
    return Alert(**(values | fields))


def readings(start: int = NOON, **fields: Any) -> Readings:
    reading = Reading(metric="refusal_rate", detector="evidence", state="ok", events=50, current=0.03)
    values: dict[str, Any] = {"segment": "all", "totals": {"interactions": 50}, "readings": [reading]}
    return Readings(start=start, end=start + 10_000, **(values | fields))


def day_sums(**fields: Any) -> DaySums:
    values: dict[str, Any] = {"segment": "all", "family": "interaction", "day": NOON - NOON % 86_400_000}
    return DaySums(**(values | {"until": NOON, "events": 7, "sums": b"sums"} | fields))


def baseline(vectors: NDArray[np.float64] | None = None, **fields: Any) -> Baseline:
    """A baseline fitted on vectors, each an event of its own; without, of events that have none."""
    values: dict[str, Any] = {
        "id": "b1",
        "segment": "all",
        "family": "interaction",
        "policy": "first",
        "created": NOON,
        "events": 0 if vectors is None else len(vectors),
        "since": NOON - 3_600_000,
        "until": NOON - 60_000,
        "offsets": {},
        "labeller": "1",
        "seed": 0,
        "summary": b"",
    }
    if vectors is not None:
        rows, usable = rows_on_grid(vectors.copy())
        values["reference"] = msgspec.msgpack.encode(fit(rows, usable).packed)
    return Baseline(**(values | fields))


def publish(bootstrap: str, topic: str, values: Iterable[tuple[str, bytes]], form: str = ROWS) -> None:
    """Put (key, value) pairs on a topic and wait until the broker has them all."""
    failed: list[object] = []
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 5})
    for key, value in values:
        producer.produce(
            topic,
            key=key,
            value=value,
            headers={"content-type": form},
            on_delivery=lambda error, _: failed.append(error) if error else None,
        )
        producer.poll(0)
    assert producer.flush(30) == 0
    assert failed == []


def publish_alerts(bootstrap: str, alerts: Iterable[Alert]) -> None:
    publish(bootstrap, "drift.alerts.v1", [(each.segment, msgspec.json.encode(each)) for each in alerts])
