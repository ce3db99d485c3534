"""Services that are busy, break, or talk nonsense."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import stamina

from drift_aware.actions.errors import ActionFailed, Unknown
from drift_aware.actions.executors.notify.wire import Busy
from drift_aware.schema.errors import Unreachable
from rig.listener import Heard, Listener, Reply
from rig.stories import channel, story

SECRET = "T0-secret-7"


def slack_says(**said: Any) -> Reply:
    return Reply(body=json.dumps(said).encode())


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as listener:
        yield listener


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=10, cap=True):
        yield


def hook(listener: Listener, **section: Any) -> Any:
    return channel(webhook={"url": f"{listener.url}/{SECRET}", "secret": SECRET} | section)


def bot(listener: Listener) -> Any:
    return channel(slack={"bot_token": SECRET, "api_url": listener.url, "channel": "C1"})


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_service_is_asked_again(listener: Listener, status: int) -> None:
    listener.next = [Reply(status), Reply(status)]
    hook(listener).send(story(), "k1")
    assert [heard.headers["Idempotency-Key"] for heard in listener.heard] == ["k1"] * 3


def test_a_pause_that_is_asked_for_is_kept(listener: Listener) -> None:
    arrivals: list[float] = []

    def answer(_: Heard) -> Reply:
        arrivals.append(time.monotonic())
        return Reply(429, headers=(("Retry-After", "0.3"),)) if len(arrivals) == 1 else Reply()

    listener.answer = answer
    with stamina.set_testing(False):
        hook(listener).send(story(), "k1")
    first, second = arrivals
    assert second - first >= 0.3


def test_a_long_pause_is_not_waited_for(listener: Listener) -> None:
    listener.answer = lambda _: Reply(429, headers=(("Retry-After", "3600"),))
    with stamina.set_testing(False), pytest.raises(Busy) as caught:
        hook(listener).send(story(), "k1")
    assert caught.value.pause_seconds == 3600
    assert len(listener.heard) == 1


@pytest.mark.parametrize(
    "reply", [Reply(hold=True), Reply(cut=0, body=b"x" * 9), Reply(cut=4, body=b"x" * 9)]
)
def test_where_repeating_is_harmless_a_lost_answer_is_asked_for_again(
    listener: Listener, reply: Reply
) -> None:
    listener.next = [reply]
    hook(listener).send(story(), "k1")
    assert [heard.headers["Idempotency-Key"] for heard in listener.heard] == ["k1"] * 2


@pytest.mark.parametrize("reply", [Reply(hold=True), Reply(cut=1, body=b"x" * 9)])
def test_where_a_second_message_would_show_a_lost_answer_is_unknown(listener: Listener, reply: Reply) -> None:
    listener.next = [reply]
    with pytest.raises(Unknown, match="look whether the message is there"):
        channel(slack={"webhook_url": f"{listener.url}/{SECRET}"}).send(story(), "k1")
    assert len(listener.heard) == 1


def test_a_refused_request_is_not_repeated(listener: Listener) -> None:
    listener.next = [Reply(404)]
    with pytest.raises(ActionFailed, match=r"refuses the message \(HTTP 404\); check notify.webhook.url"):
        hook(listener).send(story(), "k1")
    assert len(listener.heard) == 1


def test_a_service_that_moves_is_not_followed(listener: Listener) -> None:
    listener.next = [Reply(307, headers=(("Location", f"{listener.url}/elsewhere"),))]
    with pytest.raises(ActionFailed, match="HTTP 307"):
        hook(listener).send(story(), "k1")
    assert len(listener.heard) == 1


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (slack_says(ok=False, error="channel_not_found"), ActionFailed),
        (slack_says(ok=False, error="ratelimited"), Unreachable),
        (slack_says(ok=False, error="internal_error"), Unknown),
        (slack_says(ok=True), Unknown),
        (Reply(body=b"\xff<html>"), Unknown),
        (Reply(body=b"[]"), Unknown),
    ],
)
def test_what_slack_says_with_status_200_is_read(
    listener: Listener, said: Reply, error: type[Exception]
) -> None:
    listener.answer = lambda _: said
    with pytest.raises(error):
        bot(listener).send(story(), "k1")


def test_the_message_whose_answer_was_lost_is_found_by_its_key(listener: Listener) -> None:
    other = {"ts": "16.0", "metadata": {"event_type": "x", "event_payload": {"key": "k0"}}}
    mine = {"ts": "17.1", "metadata": {"event_type": "x", "event_payload": {"key": "k1"}}}
    listener.answer = lambda _: slack_says(ok=True, messages=["odd", {"ts": 3}, other, mine])
    slack = bot(listener)
    assert slack.find(story(), "k1") == {"channel": "C1", "ts": "17.1", "severity": "warning"}
    assert slack.find(story(), "k2") is None
    assert listener.heard[0].path == "/conversations.history"
    assert listener.heard[0].json == {"channel": "C1", "include_all_metadata": True, "limit": 200}


@pytest.mark.parametrize(
    "said",
    [
        slack_says(ok=False, error="missing_scope"),
        slack_says(ok=True, messages=3),
        Reply(503),
        Reply(body=b"?"),
    ],
    ids=["no right", "odd", "down", "garbage"],
)
def test_a_bot_that_cannot_look_finds_nothing(listener: Listener, said: Reply) -> None:
    listener.answer = lambda _: said
    assert bot(listener).find(story(), "k1") is None


@pytest.mark.parametrize(
    "section",
    [
        {"slack": {"webhook_url": "{url}/" + SECRET}},
        {"slack": {"bot_token": SECRET, "api_url": "{url}"}},
        {"webhook": {"url": "{url}/" + SECRET, "secret": SECRET}},
        {"pagerduty": {"routing_key": SECRET, "url": "{url}"}},
        {"opsgenie": {"api_key": SECRET, "url": "{url}"}},
    ],
    ids=lambda section: "-".join(section),
)
@pytest.mark.parametrize(
    "reply",
    [Reply(400), Reply(500), Reply(hold=True), Reply(cut=1, body=b"xx"), Reply(302), None],
    ids=["refused", "down", "slow", "cut", "moved", "away"],
)
def test_no_error_and_no_log_holds_a_secret(
    section: dict[str, dict[str, str]],
    reply: Reply | None,
    listener: Listener,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger="drift_aware")
    if reply is not None:
        listener.answer = lambda _: reply
    url = listener.url if reply else "http://127.0.0.1:9"
    filled = {
        name: {key: value.replace("{url}", url) for key, value in values.items()}
        for name, values in section.items()
    }
    one = channel(**filled, attempts=2, timeout_seconds=0.2)
    with pytest.raises((ActionFailed, Unreachable, Unknown)) as caught:
        one.send(story(), "k1")

    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    output = capfd.readouterr()
    assert SECRET not in output.out + output.err
    assert SECRET not in "".join(record.getMessage() for record in caplog.records if record.name != "httpx2")


@pytest.mark.parametrize("address", ["slack.example/hook", "ftp://x", "http://[", "text"])
def test_an_address_that_is_none_says_which_setting(address: str) -> None:
    with pytest.raises((ActionFailed, Unreachable), match=r"check notify\.slack\.webhook_url") as caught:
        channel(slack={"webhook_url": address}, attempts=1).send(story(), "k1")
    assert address not in str(caught.value)
