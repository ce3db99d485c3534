"""What each channel sends, to the letter."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift_aware.actions.executors.notify.slack import escaped
from drift_aware.actions.executors.notify.story import Story, clip, one_line
from drift_aware.schema.errors import SettingsError
from drift_aware.schema.notify_settings import Notify
from rig.listener import Heard, Listener, Reply
from rig.stories import PAGE, action, channel, story
from rig_events import NOON, alert

SECRET = "https-secret-7"


def slack_answer(heard: Heard) -> Reply:
    """Slack's API as far as messages need it, for a channel with one message."""
    said: dict[str, Any] = {"ok": True, "channel": "C1", "ts": "17.1"}
    return Reply(body=json.dumps(said).encode())


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener(slack_answer) as listener:
        yield listener


TABLE = """```segment            metric        before  now   events  since
app=&lt;!channel&gt;&amp;co  refusal_rate  3 %     12 %  1234    2026-03-01 11:59 UTC```"""


def blocks(*rest: dict[str, Any], title: str) -> list[dict[str, Any]]:
    def section(text: str) -> dict[str, Any]:
        return {"type": "section", "text": {"type": "mrkdwn", "text": text}}

    return [
        {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}},
        section("refusals rose from 3 % to 12 %"),
        section(TABLE),
        section("• tune: proposed"),
        section(f"<{PAGE}/#/alerts/a1|Open the alert>  |  <{PAGE}/#/actions/t1|Approve: tune>"),
        *rest,
    ]


def test_slack_gets_blocks_in_the_colour_of_the_severity(listener: Listener) -> None:
    slack = channel(slack={"webhook_url": f"{listener.url}/services/{SECRET}", "mention": ["U02AB", "here"]})
    assert slack.send(story(), "k1") == {}
    title = "[warning] refusal_rate in app=<!channel>&co"
    [heard] = listener.heard
    assert (heard.method, heard.path) == ("POST", f"/services/{SECRET}")
    assert heard.json == {
        "text": "[warning] refusal_rate in app=&lt;!channel&gt;&amp;co",
        "attachments": [{"color": "#DAA038", "fallback": title, "blocks": blocks(title=title)}],
    }


def test_slack_calls_people_to_what_is_critical_and_to_nothing_else(listener: Listener) -> None:
    slack = channel(slack={"webhook_url": listener.url, "mention": ["U02AB", "S0GRP", "here"]})
    slack.send(story(severity="critical"), "k1")
    over = story(alerts=[alert(1, status="resolved", severity="critical")])
    slack.send(over, "k2")
    critical, resolved = (heard.json for heard in listener.heard)
    assert critical["text"].startswith("<@U02AB> <!subteam^S0GRP> <!here> [critical] ")
    assert critical["attachments"][0]["color"] == "#A30200"
    assert resolved["text"] == "[resolved] refusal_rate in app=shop,model=gpt"
    assert resolved["attachments"][0]["color"] == "#2EB67D"


def test_what_was_withheld_is_told_in_the_message(listener: Listener) -> None:
    slack = channel(slack={"webhook_url": listener.url})
    slack.send(story(withheld=["errors rose", "a < b"]), "k1")
    kept = "Not told because of this channel's limit: errors rose; a &lt; b."
    last = listener.heard[0].json["attachments"][0]["blocks"][-1]
    assert last == {"type": "context", "elements": [{"type": "mrkdwn", "text": kept}]}


def test_a_slack_bot_posts_with_its_token_and_edits_what_it_posted(listener: Listener) -> None:
    section = {"bot_token": "xoxb-" + SECRET, "api_url": f"{listener.url}/api", "channel": "C1"}
    slack = channel(slack=section)
    handle = slack.send(story(), "k1")
    assert handle == {"channel": "C1", "ts": "17.1", "severity": "warning"}
    slack.update(story(alerts=[alert(1, status="resolved", revision=2)]), "k2", handle)
    posted, edited = listener.heard
    assert (posted.path, edited.path) == ("/api/chat.postMessage", "/api/chat.update")
    assert {posted.headers["Authorization"], edited.headers["Authorization"]} == {f"Bearer xoxb-{SECRET}"}
    assert posted.json["channel"] == "C1"
    assert posted.json["metadata"] == {
        "event_type": "drift_aware_alert",
        "event_payload": {"key": "k1", "alert_id": "a1"},
    }
    assert (edited.json["channel"], edited.json["ts"]) == ("C1", "17.1")
    assert edited.json["text"] == "[resolved] refusal_rate in app=shop,model=gpt"


def test_a_slack_message_that_becomes_critical_calls_people_in_its_thread(listener: Listener) -> None:
    slack = channel(slack={"bot_token": "xoxb", "api_url": listener.url, "mention": ["U02AB"]})
    handle = slack.update(
        story(severity="critical"), "k", {"channel": "C1", "ts": "17.1", "severity": "info"}
    )
    again = slack.update(story(severity="critical"), "k", handle)
    assert again == handle == {"channel": "C1", "ts": "17.1", "severity": "critical"}
    edited, reply, _ = listener.heard
    assert edited.path == "/chat.update"
    assert (reply.path, reply.json["thread_ts"], reply.json["reply_broadcast"]) == (
        "/chat.postMessage",
        "17.1",
        True,
    )
    assert reply.json["text"].startswith("<@U02AB> ")


def test_a_bot_posts_anew_what_went_by_a_webhook_before(listener: Listener) -> None:
    slack = channel(slack={"bot_token": "xoxb", "api_url": listener.url})
    assert slack.update(story(), "k", {})["ts"] == "17.1"
    assert [heard.path for heard in listener.heard] == ["/chat.postMessage"]


def test_a_webhook_body_is_signed_with_the_time(listener: Listener) -> None:
    hook = channel(webhook={"url": listener.url, "secret": SECRET})
    one = story()
    hook.send(one, "k1")
    [heard] = listener.heard
    seconds, signed = (part.partition("=")[2] for part in heard.headers["X-Drift-Aware-Signature"].split(","))
    expected = hmac.new(SECRET.encode(), seconds.encode() + b"." + heard.body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(signed, expected)
    assert heard.headers["Idempotency-Key"] == "k1"
    assert heard.json == {
        "event": "drift.firing",
        "id": "a1",
        "key": "k1",
        "test": False,
        "title": "[warning] refusal_rate in app=<!channel>&co",
        "summary": "refusals rose from 3 % to 12 %",
        "severity": "warning",
        "alerts": [{k: v for k, v in msgspec.to_builtins(one.alerts[0]).items() if k != "words"}],
        "actions": [msgspec.to_builtins(one.actions[0])],
        "links": [
            {"text": "Open the alert", "url": f"{PAGE}/#/alerts/a1"},
            {"text": "Approve: tune", "url": f"{PAGE}/#/actions/t1"},
        ],
        "withheld": [],
    }


def test_pagerduty_opens_an_incident_and_resolves_it_by_the_id_of_the_alert(listener: Listener) -> None:
    pager = channel(pagerduty={"routing_key": SECRET, "url": f"{listener.url}/v2/enqueue"})
    handle = pager.send(story(severity="critical"), "k1")
    pager.update(story(alerts=[alert(1, status="resolved")]), "k2", handle)
    opened, resolved = listener.heard
    assert opened.path == "/v2/enqueue"
    assert opened.json == {
        "routing_key": SECRET,
        "dedup_key": "a1",
        "event_action": "trigger",
        "client": "Drift-Aware",
        "client_url": f"{PAGE}/#/alerts/a1",
        "links": [
            {"href": f"{PAGE}/#/alerts/a1", "text": "Open the alert"},
            {"href": f"{PAGE}/#/actions/t1", "text": "Approve: tune"},
        ],
        "payload": {
            "summary": "[critical] refusal_rate in app=<!channel>&co: refusals rose from 3 % to 12 %",
            "severity": "critical",
            "source": "app=<!channel>&co",
            "timestamp": "2026-03-01T11:59:00.000+00:00",
            "component": "refusal_rate",
            "group": "refusal",
            "class": "behavior",
            "custom_details": {
                "segment": "app=<!channel>&co",
                "metric": "refusal_rate",
                "before": "3 %",
                "now": "12 %",
                "events": "1234",
                "since": "2026-03-01 11:59 UTC",
                "summary": "refusals rose from 3 % to 12 %",
                "news": "tune: proposed",
            },
        },
    }
    assert resolved.json == {"routing_key": SECRET, "dedup_key": "a1", "event_action": "resolve"}


def test_opsgenie_opens_notes_and_closes_an_alert_by_its_alias(listener: Listener) -> None:
    genie = channel(opsgenie={"api_key": SECRET, "url": listener.url, "team": "ml"})
    handle = genie.send(story(lead="a/1"), "k1")
    handle = genie.update(story(lead="a/1", severity="critical"), "k2", handle)
    genie.update(story(lead="a/1", alerts=[alert(1, status="resolved")], actions=[]), "k3", handle)
    opened, note, priority, closed = listener.heard
    assert {heard.headers["Authorization"] for heard in listener.heard} == {f"GenieKey {SECRET}"}
    assert opened.path == "/v2/alerts"
    assert opened.json["description"].startswith("refusals rose from 3 % to 12 %\n\ntune: proposed\nOpen the")
    assert {name: opened.json[name] for name in opened.json if name not in ("description", "details")} == {
        "message": "[warning] refusal_rate in app=<!channel>&co",
        "alias": "a/1",
        "priority": "P3",
        "source": "Drift-Aware",
        "entity": "app=<!channel>&co",
        "tags": ["drift", "behavior", "refusal"],
        "responders": [{"type": "team", "name": "ml"}],
    }
    assert note.path == "/v2/alerts/a%2F1/notes?identifierType=alias"
    assert (priority.method, priority.path, priority.json) == (
        "PUT",
        "/v2/alerts/a%2F1/priority?identifierType=alias",
        {"priority": "P1"},
    )
    assert closed.path == "/v2/alerts/a%2F1/close?identifierType=alias"
    assert closed.json == {
        "note": "[resolved] refusal_rate in app=shop,model=gpt\nrefusals rose from 3 % to 12 %",
        "source": "Drift-Aware",
    }


def test_a_receipt_is_told_with_its_numbers() -> None:
    receipt = {"verdict": "helped", "before": 0.12, "after": 0.031}
    told = story(actions=[action("verified", receipt=receipt)]).news
    assert told == ["tune: verified, helped: refusal_rate 12 % → 3.1 %"]


def test_actions_of_several_segments_are_told_apart() -> None:
    tunes = [action(), action("failed", id="t2", segment="app=b", reason="no\nkey")]
    told = story(alerts=[alert(1), alert(2, segment="all")], actions=tunes)
    assert told.news == ["tune of all: proposed", "tune of app=b: failed: no key"]
    assert told.links[1:] == [("Approve: tune of all", f"{PAGE}/#/actions/t1")]


def test_the_alert_on_all_traffic_stands_for_its_segments_unless_one_is_worse() -> None:
    part, whole = alert(1), alert(2, segment="all")
    assert Story("a1", [part, whole]).title == "[warning] refusal_rate in all (and 1 more alert)"
    worse = msgspec.structs.replace(part, severity="critical")
    assert Story("a1", [whole, worse]).title.startswith(
        "[critical] refusal_rate in app=shop,model=gpt (and 1"
    )
    over = msgspec.structs.replace(worse, status="resolved")
    assert Story("a1", [whole, over]).severity == "warning"
    assert Story("a1", [over]).over


def test_a_template_of_ones_own_replaces_the_text(tmp_path: Path, listener: Listener) -> None:
    file = tmp_path / "slack.txt"
    file.write_text("*$severity* in $segment: $before to $now, costs $$5")
    slack = channel(slack={"webhook_url": listener.url, "template": file})
    slack.send(story(), "k1")
    [block] = listener.heard[0].json["attachments"][0]["blocks"]
    assert block["text"]["text"] == "*warning* in app=&lt;!channel&gt;&amp;co: 3 % to 12 %, costs $5"


def test_a_template_of_a_webhook_makes_json_whatever_the_values_hold(
    tmp_path: Path, listener: Listener
) -> None:
    file = tmp_path / "hook.json"
    file.write_text('{"content": "$summary", "where": "$segment"}')
    hook = channel(webhook={"url": listener.url, "template": file})
    hook.send(story(alerts=[alert(1, segment='app=","x":"\\')]), "k1")
    assert listener.heard[0].json == {
        "content": "refusals rose from 3 % to 12 %",
        "where": 'app=","x":"\\',
    }


@pytest.mark.parametrize(
    ("section", "text", "said"),
    [
        ("slack", "$sumary", r"names \$sumary; there are \$title"),
        ("slack", "costs $ 5", "write \\$\\$ for a dollar sign"),
        ("webhook", '{"a": $summary}', "does not make JSON"),
        ("webhook", None, "cannot read the template"),
    ],
)
def test_a_wrong_template_is_refused_at_the_start(
    section: str, text: str | None, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "template"
    if text is not None:
        file.write_text(text)
    address = {"slack": "webhook_url", "webhook": "url"}[section]
    with pytest.raises(SettingsError, match=said):
        channel(**{section: {address: "http://x", "template": file}})


@pytest.mark.parametrize(
    "section",
    [
        {"email": {"host": "mail"}},
        {"email": {"host": "mail", "from": "a@b", "to": ["c@d"], "user": "u", "security": "none"}},
        {"email": {"host": "mail", "from": "a@b\nBcc: x@y", "to": ["c@d"]}},
        {"slack": {"mention": ["everybody"]}},
        {"page_url": "javascript:alert(1)"},
    ],
)
def test_wrong_settings_are_refused(section: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"mail|login|pattern|match"):
        Notify(**section)


@given(st.text(), st.integers(1, 60))
def test_no_text_breaks_out_of_its_line_or_calls_anybody(text: str, limit: int) -> None:
    assert "<" not in escaped(text)
    assert len(clip(text, limit)) <= limit
    line = one_line(text)
    assert line.splitlines() in ([], [line])


def test_a_time_that_is_none_is_told_as_it_is() -> None:
    far = 10**17
    assert story(alerts=[alert(1, onset=far)]).rows[0][-1] == str(far)
    assert story(alerts=[alert(1, onset=NOON)]).rows[0][-1] == "2026-03-01 12:00 UTC"
