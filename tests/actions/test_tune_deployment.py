"""A candidate is examined, what came out is published once, and it answers only if it is better."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stamina
from confluent_kafka import Consumer, TopicPartition

from drift_aware.actions import policies
from drift_aware.actions.calls import ATTEMPTS
from drift_aware.actions.errors import ActionFailed
from drift_aware.actions.policies import Wish
from drift_aware.actions.tune.exam import questions
from drift_aware.actions.tune.executor import TuneExecutor, make
from drift_aware.schema.envelope import ROWS, decode, encode_rows
from drift_aware.schema.errors import Unreachable
from drift_aware.schema.events import Evaluation
from drift_aware.schema.topics import EVALUATIONS
from drift_aware.sql import store
from rig.answers import liked, stored
from rig.brokers import Broker
from rig.configuration import make_settings
from rig.jobs import Bill, carry, make_job, with_results
from rig.provider import AFTER, BEFORE, KEY, MODEL, Provider
from rig_events import NOON, evaluation, publish

EXAM = [
    {"prompt": "one", "expected": "ONE"},
    {"prompt": "two", "expected": "wo", "grader": "contains"},
    {"prompt": "three", "expected": "^T.*E$", "grader": "regex"},
    {"prompt": "four", "expected": "FOUR"},
]
NOBODY = "127.0.0.1:1"
PRICES = {
    "small": {"training_per_million": 3.0, "input_per_million": 1000, "output_per_million": 2000},
}


@pytest.fixture(autouse=True)
def _impatient() -> Iterator[None]:
    with stamina.set_testing(True, attempts=ATTEMPTS):
        yield


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        provider.answers = {"gpt": lambda prompt: prompt, MODEL: str.upper}
        yield provider


@pytest.fixture
def start(provider: Provider, tmp_path: Path) -> Any:
    file = tmp_path / "exam.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in EXAM))

    def start(bootstrap: str = NOBODY, **exam: Any) -> TuneExecutor:
        endpoint = {"base_url": provider.url, "timeout_seconds": 0.5}
        tune = {
            "executor": "openai",
            "directory": tmp_path,
            "poll_seconds": 0.001,
            "openai": endpoint | {"model": "small"},
            "evaluation": endpoint | {"file": file, "margin": 0.25} | exam,
        }
        return make(make_settings(bootstrap, actions={"tune": tune}, openai_api_key=KEY, prices=PRICES))

    return start


def waited(database_url: str, bill: Bill | None = None) -> Any:
    """A job whose model is trained."""
    return with_results(make_job(database_url, bill=bill), wait={"model": MODEL, "job_id": "job-0"})


def result(before: list[bool], after: list[bool]) -> dict[str, Any]:
    return {
        "current": {"model": "gpt", "correct": before},
        "candidate": {"model": MODEL, "correct": after},
        "ts": NOON,
    }


def evaluations(broker: Broker) -> list[Evaluation]:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "test"})
    found: list[Any] = []
    try:
        for part in range(broker.partitions):
            low, high = consumer.get_watermark_offsets(TopicPartition(EVALUATIONS.name, part), timeout=10)
            consumer.assign([TopicPartition(EVALUATIONS.name, part, low)])
            for _ in range(low, high):
                [message] = consumer.consume(1, 10)
                found += decode("evaluation", message.value(), ROWS).events
    finally:
        consumer.close()
    return found


@pytest.mark.parametrize("fault", ["", *AFTER, *BEFORE])
def test_both_models_get_every_question(
    database_url: str, provider: Provider, start: Any, fault: str
) -> None:
    provider.faults["POST /chat/completions"] = [fault] if fault else []
    bill = Bill()
    found = start().do("evaluate", waited(database_url, bill))
    assert found["current"] == {"model": "gpt", "correct": [False, True, False, False]}
    assert found["candidate"] == {"model": MODEL, "correct": [True, True, True, True]}
    # Eight answers of 10 and 5 tokens, by the price of the model that was tuned; gpt has none of its own.
    assert bill.booked["the evaluation"] == pytest.approx(8 * 0.02)
    assert bill.booked["the evaluation"] <= bill.reserved["the evaluation"]


def test_the_current_model_is_what_the_policy_says(database_url: str, provider: Provider, start: Any) -> None:
    provider.answers["deployed"] = str.title
    with store.connect(database_url, "test") as connection:
        policies.change(connection, Wish("k", "*", "by hand"), lambda _: {"model": "deployed"}, now_ms=NOON)
    assert start().do("evaluate", waited(database_url))["current"]["model"] == "deployed"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has 0 questions"),
        ('{"prompt": "a"}', "line 1: .*expected"),
        ('\n{"prompt": "a", "expected": "(", "grader": "regex"}', "line 2: "),
        ("{", "line 1: "),
    ],
)
def test_a_set_that_cannot_be_used_says_where(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "set").write_text(text)
    with pytest.raises(ActionFailed, match=said):
        questions(tmp_path / "set")
    with pytest.raises(ActionFailed, match=r"set actions\.tune\.evaluation\.file"):
        questions(tmp_path / "none")


@pytest.mark.parametrize(
    ("before", "after", "deployed"),
    [(2, 3, True), (2, 2, False), (3, 2, False), (0, 1, True), (4, 4, False)],
)
def test_a_candidate_answers_only_if_it_is_better_by_the_margin(
    database_url: str, start: Any, before: int, after: int, deployed: bool
) -> None:
    right = [[number < count for number in range(4)] for count in (before, after)]
    job = with_results(waited(database_url), evaluate=result(*right))
    if deployed:
        assert start().do("deploy", job)["model"] == MODEL
    else:
        with pytest.raises(ActionFailed, match=r"not deployed: .* has to be better by 25 points"):
            start().do("deploy", job)
    with store.connect(database_url, "test") as connection:
        assert policies.current(connection, "shop").model == (MODEL if deployed else None)


def test_any_gain_is_one_where_the_margin_is_none(database_url: str, start: Any) -> None:
    job = with_results(waited(database_url), evaluate=result([True, False], [False, True]))
    with pytest.raises(ActionFailed, match="not deployed"):
        start(margin=0).do("deploy", job)


def test_undo_deploys_the_previous_model_and_leaves_a_later_one(database_url: str, start: Any) -> None:
    job = with_results(waited(database_url), evaluate=result([False], [True]))
    with store.connect(database_url, "test") as connection:
        policies.change(connection, Wish("k", "shop", "by hand"), lambda _: {"model": "old"}, now_ms=NOON)
    tune = start()
    assert tune.undo(job) == "nothing of it was in service"
    made = tune.do("deploy", job)
    assert (made, made["previous"]) == (tune.find("deploy", job), "old")
    assert tune.undo(job) == tune.undo(job) == "shop is answered by old again"
    with store.connect(database_url, "test") as connection:
        assert policies.current(connection, "shop").model == "old"


def test_what_came_out_is_published_once_and_found_where_it_is(
    database_url: str, kafka_broker: Broker, start: Any
) -> None:
    publish(kafka_broker.bootstrap, EVALUATIONS.name, [("theirs", encode_rows([evaluation(1)]))])
    tune = start(kafka_broker.bootstrap)
    job = with_results(waited(database_url), evaluate=result([False, True], [True, True]))
    assert tune.find("publish", job) is None
    made = tune.do("publish", job)
    assert tune.find("publish", job) == made == tune.do("publish", job)
    ours = [each for each in evaluations(kafka_broker) if each.eval_set == "tune"]
    assert sorted((each.model, each.correct) for each in ours) == [
        (MODEL, True),
        (MODEL, True),
        ("gpt", False),
        ("gpt", True),
    ]
    assert {(each.app, each.ts, each.predicted) for each in ours} == {("shop", NOON, None)}
    assert {each.run_id for each in ours} == set(made["runs"])


def test_half_of_it_is_completed(database_url: str, kafka_broker: Broker, start: Any) -> None:
    tune = start(kafka_broker.bootstrap)
    job = with_results(waited(database_url), evaluate=result([False], [True]))
    first = f"{job.key('publish')}/current"
    publish(kafka_broker.bootstrap, EVALUATIONS.name, [(first, encode_rows([evaluation(1)]))])
    assert tune.find("publish", job) is None
    tune.do("publish", job)
    assert [each.run_id for each in evaluations(kafka_broker) if each.eval_set == "tune"] == [
        f"{job.key('publish')}/candidate"
    ]


def test_without_kafka_it_waits(database_url: str, start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drift_aware.actions.tune.runs._SECONDS", 0.3)
    job = with_results(waited(database_url), evaluate=result([False], [True]))
    with pytest.raises(Unreachable, match="Kafka does not answer"):
        start().do("publish", job)


def test_from_the_alert_to_the_new_model(
    database_url: str, kafka_broker: Broker, provider: Provider, start: Any
) -> None:
    stored(database_url, *liked(40))
    tune = start(kafka_broker.bootstrap)
    done = carry(tune, make_job(database_url), crash_after="publish")
    assert tuple(done.results) == ("dataset", "upload", "job", "wait", "evaluate", "publish", "deploy")
    assert len(provider.effects) == 3
    with store.connect(database_url, "test") as connection:
        now = policies.current(connection, "shop")
    assert (now.model, now.version, now.action_id) == (MODEL, 1, "action-1")
    assert now.reason == f"{MODEL} is better than gpt"
