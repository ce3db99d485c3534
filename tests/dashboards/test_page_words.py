"""What the page's own modules say, asked in a browser without any server behind them."""

from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser

from drift_aware.dashboards.api.routes.page import ASSETS
from drift_aware.streams.measures import METRICS

Say = Callable[..., Any]
NOW = 1_772_366_400_000
MINUTE, HOUR = 60_000, 3_600_000


class _Files(SimpleHTTPRequestHandler):
    """The files of the page, and nothing else."""

    def do_GET(self) -> None:
        asset = ASSETS.get(self.path.strip("/"), ASSETS["icon.svg"])
        self.send_response(200)
        self.send_header("Content-Type", asset.headers["Content-Type"])
        self.send_header("Content-Length", str(len(asset.content)))
        self.end_headers()
        self.wfile.write(asset.content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def say(browser: Browser) -> Iterator[Say]:
    """What a function of a module says: ``say("words", "percent", 0.12)``."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    thread = Thread(target=server.serve_forever)
    thread.start()
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{server.server_port}/icon.svg")

    def call(module: str, function: str, *arguments: object) -> Any:
        script = "async ([module, name, given]) => (await import(`/${module}.js`))[name](...given)"
        return page.evaluate(script, [module, function, list(arguments)])

    yield call
    page.close()
    server.shutdown()
    thread.join()
    server.server_close()


def overview(*segments: tuple[str, str], **fields: Any) -> dict[str, Any]:
    """What ``/live/overview`` answers; segments as name and state."""
    found = [
        {"segment": name, "state": state, "severity": "critical" if state == "drifting" else None}
        for name, state in segments
    ]
    values = {"now": NOW, "seen_until": NOW, "firing": [], "waiting": [], "latest_actions": []}
    return values | {"segments": found} | fields


def alert(**fields: Any) -> dict[str, Any]:
    values = {
        "id": "a1",
        "metric": "refusal_rate",
        "segment": "app=shop",
        "severity": "warning",
        "paging": True,
    }
    numbers = {"current": 0.12, "baseline_value": 0.04, "onset": NOW - 2 * HOUR}
    return values | numbers | fields


def action(**fields: Any) -> dict[str, Any]:
    values = {
        "id": "t1",
        "action": "tune",
        "status": "proposed",
        "alert_id": "a1",
        "dry_run": False,
        "receipt": None,
    }
    return values | fields


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.1234, "share", "12.3 %"),
        (1, "share", "100 %"),
        (0, "share", "0.0 %"),
        (1221.7, "ms", "1,222 ms"),
        (0.00123456, "usd", "$0.00123"),
        (0.2, "distance", "0.2"),
        (4.5, "stars", "4.5 stars"),
        (None, "share", "unknown"),
    ],
)
def test_a_value_is_said_in_its_unit(say: Say, value: float | None, unit: str, said: str) -> None:
    assert say("words", "amount", value, unit) == said


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [(-5, "0 s"), (59_000, "59 s"), (12 * MINUTE, "12 min"), (3 * HOUR, "3 h"), (72 * HOUR, "3 days")],
)
def test_a_stretch_of_time_is_said_in_its_largest_unit(say: Say, milliseconds: int, said: str) -> None:
    assert say("words", "lasting", milliseconds) == said


def test_a_moment_of_another_day_is_said_with_its_day(say: Say) -> None:
    assert say("words", "at", NOW - HOUR, NOW) == "11:00"
    assert say("words", "at", NOW - 25 * HOUR, NOW) == "Feb 28, 11:00"


@pytest.mark.parametrize(
    ("segments", "headline"),
    [
        ([], "No data yet."),
        ([("all", "calm"), ("app=a", "calm")], "Nothing drifts."),
        ([("all", "calm"), ("app=a", "silent"), ("app=b", "warming_up")],
         "Nothing drifts; of 3 segments, 1 is warming up and 1 is silent."),
        ([("all", "warming_up")], "Warming up: learning what is usual."),
        ([("all", "silent")], "Nothing comes in."),
        ([("all", "drifting"), ("app=a", "calm")], "All traffic drifts."),
        ([("app=a", "drifting"), ("all", "calm")], "app=a drifts."),
        ([("app=a", "drifting"), ("app=b", "drifting"), ("all", "calm")], "2 of 3 segments drift."),
    ],
)  # fmt: skip
def test_the_headline_says_how_things_are(say: Say, segments: list[tuple[str, str]], headline: str) -> None:
    assert say("verdict", "verdict", overview(*segments))["headline"] == headline


def test_the_worst_is_one_that_wakes_somebody_then_the_gravest_then_the_latest(say: Say) -> None:
    alerts = [
        alert(id="quiet", severity="critical", paging=False),
        alert(id="early", severity="critical", onset=NOW - 3 * HOUR),
        alert(id="late", severity="critical", onset=NOW - HOUR),
        alert(id="small", severity="info", onset=NOW),
    ]
    assert [each["id"] for each in say("verdict", "worstFirst", alerts)] == [
        "late",
        "early",
        "small",
        "quiet",
    ]


def test_the_verdict_says_what_is_worst_and_what_is_being_done(say: Say) -> None:
    steps = [action(), action(id="n1", action="notify", status="succeeded"), action(id="x", alert_id="other")]
    seen = overview(
        ("app=shop", "drifting"),
        ("app=b", "drifting"),
        firing=[alert()],
        waiting=steps[:1],
        latest_actions=steps,
    )
    found = say("verdict", "verdict", seen)
    assert found["worst"] == (
        "Worst: The refusal rate in app=shop is at 12.0 %, against 4.0 %, since 10:00 UTC, for 2 h."
    )
    assert found["doing"] == "A tuning waits for approval; people were told."
    nothing = say("verdict", "verdict", seen | {"waiting": [], "latest_actions": []})
    assert nothing["doing"] == "Nothing is being done about it so far."


def test_a_canary_speaks_of_the_model_and_not_of_traffic(say: Say) -> None:
    canary = alert(metric="canary_answers", segment="all", current=0.75, baseline_value=None)
    alone = say("verdict", "verdict", overview(("all", "drifting"), ("app=shop", "calm"), firing=[canary]))
    assert alone["headline"] == "A provider's model has changed."
    assert alone["worst"] == (
        "The share of golden prompts answered differently is at 75.0 %, since 10:00 UTC, for 2 h."
    )
    with_traffic = overview(("all", "drifting"), ("app=shop", "drifting"), firing=[canary, alert()])
    assert say("verdict", "verdict", with_traffic)["headline"] == "2 of 2 segments drift."


@pytest.mark.parametrize(
    ("fields", "waits", "said"),
    [
        ({}, True, "a tuning waits for approval"),
        ({}, False, "a tuning is about to begin"),
        ({"status": "succeeded", "dry_run": True}, False, "a tuning was carried out as a dry run"),
        (
            {"status": "verified", "receipt": {"verdict": "harmed"}},
            False,
            "a tuning was carried out: it did harm",
        ),
        ({"action": "notify", "status": "succeeded", "dry_run": True}, False,
         "people would have been told (dry run)"),
        ({"action": "of-another-release", "status": "running"}, False,
         "“of-another-release” is being carried out"),
    ],
)  # fmt: skip
def test_where_an_action_stands_is_said_in_words(
    say: Say, fields: dict[str, Any], waits: bool, said: str
) -> None:
    assert say("verdict", "step", action(**fields), waits) == said


def test_every_metric_has_a_question_and_one_of_somebody_elses_too(say: Say) -> None:
    questions = {name: say("metrics", "metric", name)["question"] for name in METRICS}
    assert len(set(questions.values())) == len(METRICS)
    assert all(question.endswith("?") for question in questions.values())
    assert say("metrics", "metric", "my_own")["question"] == "Has my own changed?"
    assert say("metrics", "family", "embedding/query/BAAI/bge-m3/1024") == "query embeddings of BAAI/bge-m3"


def test_scores_are_shown_in_thresholds(say: Say) -> None:
    given = {"score": [0.5, 5000, 0, None, 1], "threshold": [0.25, 1, 1, 1, None]}
    assert say("chart", "thresholds", given) == [2, 100, 0.01, None, None]
