"""Who trains: a provider of OpenAI's shape, a learning engine, or a program; each effect happens once."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stamina

from drift_aware.actions.calls import ATTEMPTS
from drift_aware.actions.errors import ActionFailed, Unknown
from drift_aware.actions.executor import Job
from drift_aware.actions.tune.executor import TuneExecutor
from drift_aware.actions.tune.waiting import Patience
from rig.answers import liked, stored
from rig.configuration import make_settings
from rig.jobs import Bill, carry, make_job, with_results
from rig.provider import AFTER, BEFORE, KEY, MODEL, Provider

PRICES = {"small": {"training_per_million": 3.0}}
STEPS = ("dataset", "upload", "job", "wait")


class Clock:
    """Time that passes only where somebody waits."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def pause(self, seconds: float) -> None:
        self.seconds += seconds

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture(autouse=True)
def _impatient() -> Iterator[None]:
    with stamina.set_testing(True, attempts=ATTEMPTS):
        yield


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


def executor(folder: Path, clock: Clock | None = None, **values: Any) -> TuneExecutor:
    tune = {"directory": folder, "least_examples": 1} | values.pop("tune")
    settings = make_settings(
        **({"actions": {"tune": tune}, "openai_api_key": KEY, "prices": PRICES} | values)
    )
    clock = clock or Clock()
    return TuneExecutor(settings, Patience(settings.actions.tune, clock.pause, clock))


def tuner(provider: Provider, folder: Path, clock: Clock | None = None, **values: Any) -> TuneExecutor:
    endpoint = {
        "base_url": provider.url,
        "model": "small",
        "suffix": "shop",
        "epochs": 2,
        "timeout_seconds": 0.5,
    }
    return executor(folder, clock, tune={"executor": "openai", "openai": endpoint}, **values)


@pytest.fixture
def job(database_url: str) -> Job:
    stored(database_url, *liked(60))
    return make_job(database_url, bill=Bill())


def bill(job: Job) -> Bill:
    owner: Bill = job.spend.__self__  # type: ignore[attr-defined]
    return owner


def names(job: Job) -> list[str]:
    return [f"drift-aware-{job.key('upload')}-{name}.jsonl" for name in ("train", "validation")]


def expected(job: Job) -> list[tuple[str, str]]:
    return [*(("file", name) for name in names(job)), ("job", job.key("job"))]


def test_a_model_is_tuned_with_the_files_as_they_were_written(
    provider: Provider, job: Job, tmp_path: Path
) -> None:
    done = carry(tuner(provider, tmp_path), job)
    assert tuple(done.results) == STEPS
    assert provider.effects == expected(job)
    folder = Path(done.results["dataset"]["folder"])
    assert provider.contents[names(job)[0]] == (folder / "train.jsonl").read_bytes()
    assert provider.jobs[0]["given"] == {
        "model": "small",
        "training_file": "file-0",
        "validation_file": "file-1",
        "suffix": "shop",
        "hyperparameters": {"n_epochs": 2},
        "metadata": {"drift_aware_key": job.key("job")},
    }
    assert done.results["wait"] == {"model": MODEL, "job_id": "job-0"}
    # Two million tokens were trained on, as the provider says in the end.
    assert bill(job).booked["fine-tuning"] == pytest.approx(6.0)
    assert bill(job).reserved["fine-tuning"] == done.results["dataset"]["usd"] > 0


@pytest.mark.parametrize(
    "path", ["POST /files", "POST /fine_tuning/jobs", "GET /files", "GET /fine_tuning/jobs/job-0"]
)
@pytest.mark.parametrize("fault", [*AFTER, *BEFORE])
def test_each_effect_happens_once_whatever_breaks(
    provider: Provider, job: Job, tmp_path: Path, path: str, fault: str
) -> None:
    provider.faults[path] = [fault]
    done = carry(tuner(provider, tmp_path), job)
    assert provider.effects == expected(job)
    assert done.results["wait"]["model"] == MODEL
    assert bill(job).booked["fine-tuning"] == pytest.approx(6.0)


@pytest.mark.parametrize("step", STEPS)
def test_what_was_done_before_a_crash_is_found(
    provider: Provider, job: Job, tmp_path: Path, step: str
) -> None:
    done = carry(tuner(provider, tmp_path), job, crash_after=step)
    assert provider.effects == expected(job)
    assert done.results["upload"] == {"train.jsonl": "file-0", "validation.jsonl": "file-1"}


def test_without_validation_one_file_is_sent(provider: Provider, database_url: str, tmp_path: Path) -> None:
    stored(database_url, *liked(1))
    tune = tuner(provider, tmp_path)
    done = carry(tune, make_job(database_url))
    assert list(done.results["upload"]) == ["train.jsonl"]
    assert "validation_file" not in provider.jobs[0]["given"]


def test_files_of_another_machine_are_not_sent(provider: Provider, job: Job, tmp_path: Path) -> None:
    tune = tuner(provider, tmp_path)
    made = dict(tune.do("dataset", job))
    (Path(made["folder"]) / "train.jsonl").write_text("something else")
    with pytest.raises(ActionFailed, match="has to be shared"):
        tune.do("upload", with_results(job, dataset=made))
    assert provider.effects == []


def test_a_model_without_a_price_is_not_trained(provider: Provider, job: Job, tmp_path: Path) -> None:
    with pytest.raises(ActionFailed, match=r"set prices\.small\.training_per_million"):
        carry(tuner(provider, tmp_path, prices={}), job)
    assert ("job", job.key("job")) not in provider.effects


def test_a_job_that_fails_or_takes_too_long_says_so(provider: Provider, job: Job, tmp_path: Path) -> None:
    provider.statuses = ["queued", "failed"]
    with pytest.raises(ActionFailed, match="job job-0 has ended as failed: bad data"):
        carry(tuner(provider, tmp_path), job)
    provider.statuses = ["running"]
    clock = Clock()
    begun = with_results(job, job={"job_id": "job-0", "booked_usd": 0.0}, dataset={"usd": 0.0})
    with pytest.raises(ActionFailed, match="has not ended in 24 h"):
        tuner(provider, tmp_path, clock).do("wait", begun)
    assert clock.seconds == 24 * 3600


def test_no_key_is_in_what_is_said(provider: Provider, job: Job, tmp_path: Path) -> None:
    with pytest.raises(ActionFailed) as refused:
        carry(tuner(provider, tmp_path, openai_api_key="sk-wrong"), job)
    assert "sk-wrong" not in str(refused.value)


def engine(provider: Provider, folder: Path) -> TuneExecutor:
    return executor(folder, tune={"executor": "http", "days": 7}, learning_engine_url=provider.url + "/")


@pytest.mark.parametrize("fault", [*AFTER, *BEFORE])
def test_a_learning_engine_begins_one_job_whatever_breaks(
    provider: Provider, tmp_path: Path, fault: str
) -> None:
    fault_at_start = [] if fault == "late" else [fault]  # its time-out is a minute
    provider.faults = {"POST /train": fault_at_start, "GET /train": fault_at_start}
    job = make_job("nowhere")
    done = carry(engine(provider, tmp_path), job, crash_after="job")
    assert provider.effects == [("train", job.key("job"))]
    assert provider.jobs[0]["given"] == {"days": 7, "force": True, "key": job.key("job")}
    assert done.results == {"job": {"job_id": "train-0"}, "wait": {"job_id": "train-0", "model": MODEL}}


def test_a_learning_engine_that_cannot_look_leaves_it_to_a_person(provider: Provider, tmp_path: Path) -> None:
    provider.looks_up = False
    tune, job = engine(provider, tmp_path), make_job("nowhere")
    tune.do("job", job)
    with pytest.raises(Unknown, match=f"key {job.key('job')}"):
        tune.find("job", job)


SCRIPT = """#!/usr/bin/env python3
import json, os, pathlib, sys
told, folder = json.load(sys.stdin), pathlib.Path(sys.argv[-1])
effects = folder.parent / "effects"
key = os.environ["IDEMPOTENCY_KEY"]
if "find" in sys.argv:
    sys.exit(0 if effects.exists() and print(json.dumps({"model": "mine"})) is None else 1)
with effects.open("a") as file:
    file.write(f"{key} {told['action']['id']} {len((folder / 'train.jsonl').read_text().splitlines())}\\n")
print(json.dumps({"model": "mine", "cost_usd": 1.5}))
"""


def program(folder: Path, script: str = SCRIPT, **more: Any) -> TuneExecutor:
    path = folder / "train.py"
    path.write_text(script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    command = {"run": [str(path), "run"], "find": [str(path), "find"], "most_usd": 2} | more
    return executor(folder / "data", tune={"executor": "command", "command": command})


@pytest.mark.parametrize("step", ["dataset", "train"])
def test_a_program_trains_once(job: Job, tmp_path: Path, step: str) -> None:
    done = carry(program(tmp_path), job, crash_after=step)
    assert done.results["train"]["model"] == "mine"
    count = done.results["dataset"]["train"]
    assert (tmp_path / "data" / "effects").read_text() == f"{job.key('train')} action-1 {count}\n"
    assert (bill(job).reserved["training"], bill(job).booked["training"]) == (2, 1.5)


@pytest.mark.parametrize(
    ("script", "error", "said"),
    [
        ("#!/bin/sh\necho no room >&2; exit 3\n", ActionFailed, "exit code 3: no room"),
        ("#!/bin/sh\necho done\n", ActionFailed, "print its result as JSON"),
        ("#!/bin/sh\nkill -9 $$\n", Unknown, "signal 9"),
        ("#!/bin/sh\nexec sleep 60\n", Unknown, "has not ended in 0.2 s"),
        ("#!/no/such/shell\n", ActionFailed, "cannot start"),
    ],
)
def test_a_program_that_fails_says_how(
    database_url: str, tmp_path: Path, script: str, error: type[Exception], said: str
) -> None:
    tune = program(tmp_path, script, timeout_seconds=0.2)
    job = with_results(make_job(database_url), dataset={"folder": str(tmp_path)})
    with pytest.raises(error, match=said):
        tune.do("train", job)


def test_without_a_program_that_looks_nobody_can_tell(tmp_path: Path) -> None:
    tune = program(tmp_path, find=None)
    with pytest.raises(Unknown, match=r"set actions\.tune\.command\.find"):
        tune.find("train", with_results(make_job("nowhere"), dataset={"folder": str(tmp_path)}))


def test_what_is_handed_out_is_json(provider: Provider, job: Job, tmp_path: Path) -> None:
    done = carry(tuner(provider, tmp_path), job)
    assert json.loads(json.dumps(done.results)) == done.results
