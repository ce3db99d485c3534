"""Training data from a real Postgres."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from drift_aware.actions.errors import ActionFailed
from drift_aware.actions.executor import Job
from drift_aware.actions.tune.dataset import digest
from drift_aware.actions.tune.examples import wrong_with
from drift_aware.actions.tune.executor import TuneExecutor, make
from drift_aware.schema.errors import SettingsError
from drift_aware.sql import store
from drift_aware.sql.erasure import forget
from drift_aware.sql.tombstones import Names
from rig.answers import liked, stored
from rig.configuration import make_settings
from rig.jobs import carry, make_job
from rig_events import NOON, feedback, interaction

DAY = 86_400_000


def executor(folder: Path, **tune: Any) -> TuneExecutor:
    return make(make_settings(actions={"tune": {"directory": folder, "least_examples": 1} | tune}))


def lines(job: Job, name: str = "train.jsonl") -> list[bytes]:
    return (Path(job.results["dataset"]["folder"]) / name).read_bytes().splitlines()


def pairs(job: Job, name: str = "train.jsonl") -> list[tuple[str, str]]:
    chats = [json.loads(line)["messages"] for line in lines(job, name)]
    return [(question["content"], answer["content"]) for question, answer in chats]


def test_what_people_liked_before_the_alert_is_written_with_hashes(database_url: str, tmp_path: Path) -> None:
    stored(database_url, *liked(200))
    job = carry(executor(tmp_path), make_job(database_url))
    result = job.results["dataset"]
    assert set(job.results) == {"dataset"}
    train, validation = pairs(job), pairs(job, "validation.jsonl")
    assert (len(train), len(validation)) == (result["train"], result["validation"])
    assert len(train) + len(validation) == 200
    assert not {question for question, _ in train} & {question for question, _ in validation}
    assert [wrong_with(line) for line in lines(job)] == [None] * len(train)
    manifest = json.loads((Path(result["folder"]) / "manifest.json").read_text())
    assert manifest["sha256"] == {
        name: digest(Path(result["folder"]) / name) for name in ("train.jsonl", "validation.jsonl")
    }
    assert (manifest["segment"], manifest["left_out"]) == ("app=shop,model=gpt", {})
    assert {file.stat().st_mode & 0o77 for file in Path(result["folder"]).iterdir()} == {0}


def test_each_filter_leaves_out_what_it_should(database_url: str, tmp_path: Path) -> None:
    kept = liked(3)
    others = [
        *liked(1, first=10, app="other"),
        *liked(1, first=11, refusal=True),
        *liked(1, first=12, user_query="x" * 30_000),
        *liked(1, first=13, ts=NOON + 1),
        *liked(1, first=14, ts=NOON - 31 * DAY),
        *liked(1, first=15, error="timeout"),
        *liked(1, first=16, user_query="QUESTION 0!", model_response="answer  0"),
        *liked(1, first=17, user_query=None),
        interaction(18, ts=NOON - 1, user_query="unrated"),
        interaction(19, ts=NOON - 1, user_query="disliked"),
        feedback(19, score=5, task_success=None),
        feedback(19, score=2, task_success=None),
        interaction(20, ts=NOON - 1, user_query="failed"),
        feedback(20, score=5, task_success=False),
    ]
    stored(database_url, *others, *kept)
    job = carry(executor(tmp_path, validation_share=0), make_job(database_url))
    questions = {"".join(filter(str.isalnum, question.casefold())) for question, _ in pairs(job)}
    assert questions == {"question0", "question1", "question2"}
    manifest = json.loads((Path(job.results["dataset"]["folder"]) / "manifest.json").read_text())
    assert manifest["left_out"] == {"refusal": 1, "length": 1, "near_duplicate": 1}


def test_personal_data_and_forgotten_people_are_not_in_it(database_url: str, tmp_path: Path) -> None:
    stored(
        database_url, *liked(4), *liked(1, first=9, user_query="i am jo@example.org", labels={"user": "jo"})
    )
    stored(database_url, *liked(1, first=8, user_query="call 030 1234567"))
    with store.connect(database_url, "test") as connection:
        forget(connection, Names(users=frozenset({"jo"})))
    job = carry(executor(tmp_path, validation_share=0), make_job(database_url))
    assert sorted(question for question, _ in pairs(job)) == [
        "call [phone]",
        *(f"question {number}" for number in range(4)),
    ]


def test_whole_files_are_found_and_others_are_written_anew(database_url: str, tmp_path: Path) -> None:
    stored(database_url, *liked(5))
    tune = executor(tmp_path)
    job = make_job(database_url)
    assert tune.find("dataset", job) is None
    made = tune.do("dataset", job)
    assert tune.find("dataset", job) == made
    (Path(made["folder"]) / "train.jsonl").write_text("cut")
    assert tune.find("dataset", job) is None
    assert tune.do("dataset", job) == made


def test_no_more_than_the_newest_are_taken(database_url: str, tmp_path: Path) -> None:
    stored(database_url, *liked(30))
    tune = executor(tmp_path, most_examples=7, validation_share=0)
    job = carry(tune, make_job(database_url))
    assert [question for question, _ in pairs(job)] == [f"question {number}" for number in range(7)]


def test_too_few_examples_fail_with_what_to_do(database_url: str, tmp_path: Path) -> None:
    stored(database_url, *liked(5))
    with pytest.raises(ActionFailed, match=r"only 5 examples .* and 10 are needed"):
        carry(executor(tmp_path, least_examples=10, validation_share=0), make_job(database_url))
    assert list(tmp_path.rglob("manifest.json")) == []


def test_a_folder_that_cannot_be_made_says_which_setting(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ActionFailed, match=r"set actions\.tune\.directory"):
        carry(executor(tmp_path / "file"), make_job(database_url))


@pytest.mark.parametrize(
    ("tune", "said"),
    [
        ({}, "write answers of app=shop,model=gpt of the last 30 days, rated at least 4, to "),
        (
            {"executor": "openai", "openai": {"base_url": "https://x/v1", "model": "m"}},
            "tune m at https://x/v1 ",
        ),
        ({"executor": "http"}, "let http://engine train with "),
        ({"executor": "command", "command": {"run": ["train.sh"]}}, "train by train.sh with "),
    ],
)
def test_a_plan_opens_no_socket(monkeypatch: pytest.MonkeyPatch, tune: dict[str, Any], said: str) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    exam = {"file": "exam.jsonl", "base_url": "https://x/v1"}
    settings = make_settings(
        actions={"tune": {"evaluation": exam} | tune}, learning_engine_url="http://engine"
    )
    monkeypatch.setattr(socket, "socket", refuse)
    plan = make(settings).plan(make_job("nowhere"))
    assert plan.startswith(said)
    assert plan.endswith("deploy nothing" if not tune else "deploy the new one if it is better by 2 points")


def test_settings_that_do_not_fit_are_said_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="set LEARNING_ENGINE_URL"):
        executor(tmp_path, executor="http")
    with pytest.raises(SettingsError, match="DRIFT_AWARE_REDACT__HASH_KEY"):
        executor(tmp_path, redact="hash")
