"""Alerts told by channels, with a real record of what was told where."""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import msgspec
import psycopg
import pytest
import stamina
from psycopg.types.json import Jsonb

from drift_aware.actions import ledger
from drift_aware.actions.errors import ActionFailed
from drift_aware.actions.executor import Job, Result
from drift_aware.actions.executors.notify.keeping import Keeper, keeping
from drift_aware.actions.executors.notify.telling import NotifyExecutor, make
from drift_aware.actions.policy import Decision, action_id
from drift_aware.schema.alerts import ActionKind, Alert
from drift_aware.schema.errors import Unreachable
from drift_aware.schema.settings import Actions
from drift_aware.sql import store
from drift_aware.sql.errors import DatabaseUnreachable
from drift_aware.sql.store import Connection
from rig.configuration import make_settings
from rig.listener import Heard, Listener, Reply
from rig.services import wait_until
from rig_events import NOON, alert

HOUR_MS = 3_600_000


class World:
    """Slack and PagerDuty and a webhook on one listener, and the record."""

    def __init__(self, url: str, listener: Listener) -> None:
        self.url, self.listener = url, listener
        self.slack: dict[str, dict[str, Any]] = {}
        self.rude: set[str] = set()
        listener.answer = self.answer

    def answer(self, heard: Heard) -> Reply:
        if heard.path.strip("/").split("/")[0] in self.rude:
            return Reply(503)
        if heard.path == "/api/conversations.history":
            return _json(ok=True, messages=[{"ts": ts} | body for ts, body in self.slack.items()])
        if heard.path == "/api/chat.postMessage":
            self.slack[f"{len(self.slack) + 1}.0"] = heard.json
        elif heard.path == "/api/chat.update":
            assert heard.json["ts"] in self.slack
            self.slack[heard.json["ts"]] |= heard.json
        return _json(ok=True, channel="C1", ts=f"{len(self.slack)}.0")

    def executor(self, **sections: Any) -> NotifyExecutor:
        there = {
            "slack": {"slack": {"bot_token": "xoxb", "api_url": self.listener.url + "/api", "channel": "C1"}},
            "hook": {"slack": {"webhook_url": self.listener.url + "/hook"}},
            "webhook": {"webhook": {"url": self.listener.url + "/own"}},
            "pagerduty": {"pagerduty": {"routing_key": "r", "url": self.listener.url + "/pager"}},
        }
        chosen: dict[str, Any] = {"timeout_seconds": 0.5, "attempts": 2}
        for name, section in sections.items():
            if name not in there:
                chosen[name] = section
                continue
            for key, values in there[name].items():
                chosen[key] = values | (section or {})
        self.settings = make_settings(database_url=self.url, notify=chosen, actions={"dry_run": False})
        made = make(self.settings)
        assert made is not None
        self.made = made
        return made

    def connect(self) -> Connection:
        return store.connect(self.url, "test")

    def propose(self, one: Alert, kind: ActionKind = "notify") -> str:
        with self.connect() as connection, connection.transaction():
            ledger.claim(connection, one, Decision(kind, "proposed", "because"), dry_run=False)
        return action_id(one.id, kind)

    def job(self, one: Alert, results: Mapping[str, Result] | None = None) -> Job:
        named = self.propose(one)
        with self.connect() as connection:
            action = ledger.find(connection, named).action
        return Job(
            action=action,
            alert=one,
            results=results or {},
            connect=self.connect,
            spend=lambda *_: None,
            spent=lambda *_: None,
            progress=lambda *_: None,
        )

    def carry(self, one: Alert) -> dict[str, Result]:
        """Every step, one after the other."""
        results: dict[str, Result] = {}
        for step in self.made.steps:
            results[step] = self.made.do(step, self.job(one, dict(results)))
        return results

    def becomes(self, one: Alert) -> None:
        """What ``persist`` does with a revision of an alert."""
        row = msgspec.to_builtins(one)
        values = {
            "id": one.id,
            "revision": one.revision,
            "row": Jsonb(row),
            "onset": one.onset / 1000,
        }
        with self.connect() as connection:
            connection.execute(
                """
                INSERT INTO drift_events (
                    id, revision, status, severity, kind, metric, detector, segment, onset, ts, current,
                    score, threshold, paging, window_start, window_end, window_events, summary,
                    suggested_actions, alert
                )
                SELECT
                    %(id)s, %(revision)s, '', '', '', '', '', '', t, t, 0, 0, 0, true, t, t, 0, '', '{}',
                    %(row)s
                FROM to_timestamp(%(onset)s) AS t
                ON CONFLICT (id) DO UPDATE SET
                    revision = excluded.revision, alert = excluded.alert, updated_at = now()
                """,
                values,
            )

    def keep(self) -> None:
        """Look at everything that may have changed, whenever it was to be looked at."""
        keeper = Keeper(list(self.made._channels.values()), self.settings.notify.page_url)
        with self.connect() as connection:
            connection.execute("UPDATE notification SET next_look = now()")
            while keeper.once(connection):
                pass

    def heard(self, path: str) -> list[Any]:
        return [each.json for each in self.listener.heard if each.path.startswith(path)]


def _json(**said: Any) -> Reply:
    return Reply(body=json.dumps(said).encode())


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    with Listener() as listener, stamina.set_testing(True, attempts=10, cap=True):
        yield World(database_url, listener)


def test_every_channel_is_told_and_the_pager_first(world: World) -> None:
    executor = world.executor(slack=None, pagerduty=None, webhook=None)
    assert list(executor.steps) == ["pagerduty", "slack", "webhook", "rest"]
    results = world.carry(alert(1))
    assert results == {
        "pagerduty": {"sent": True, "dedup_key": "a1"},
        "slack": {"sent": True, "channel": "C1", "ts": "1.0", "severity": "warning"},
        "webhook": {"sent": True},
        "rest": {},
    }
    assert [heard.path for heard in world.listener.heard] == ["/pager", "/api/chat.postMessage", "/own"]


def test_a_channel_that_is_down_keeps_no_other_from_being_told_and_is_tried_again(world: World) -> None:
    executor = world.executor(slack=None, pagerduty=None, webhook=None)
    world.rude = {"api"}
    results: dict[str, Result] = {step: executor.do(step, world.job(alert(1))) for step in executor.steps[:3]}
    assert results["slack"] == {"failed": "Slack is busy (HTTP 503); it is asked again later"}
    with pytest.raises(Unreachable, match="Slack is busy"):
        executor.do("rest", world.job(alert(1), results))
    assert [len(world.heard(path)) for path in ("/pager", "/own")] == [1, 1]
    world.rude = set()
    assert executor.do("rest", world.job(alert(1), results))["slack"]["sent"]
    assert [len(world.heard(path)) for path in ("/pager", "/own")] == [1, 1]
    assert len(world.slack) == 1
    # Its row was lost in a crash: what was told is known.
    executor.do("rest", world.job(alert(1), results))
    assert len(world.slack) == 1


def test_a_channel_that_is_down_for_long_fails_the_action(world: World) -> None:
    executor = world.executor(slack=None, give_up_hours=1.0)
    world.rude = {"api"}
    results = {"slack": executor.do("slack", world.job(alert(1)))}
    with world.connect() as connection:
        connection.execute("UPDATE notification SET created_at = now() - interval '61 minutes'")
    with pytest.raises(ActionFailed, match="Slack is busy"):
        executor.do("rest", world.job(alert(1), results))


def test_a_webhook_whose_answer_is_lost_twice_gets_no_third_message(world: World) -> None:
    executor = world.executor(hook=None)
    world.listener.next = [Reply(cut=1), Reply(cut=1)]
    results = {"slack": executor.do("slack", world.job(alert(1)))}
    assert "look whether the message is there" in str(results["slack"]["failed"])
    with pytest.raises(ActionFailed, match="look whether the message is there"):
        executor.do("rest", world.job(alert(1), results))
    executor.do("rest", world.job(alert(1), results))
    assert len(world.heard("/hook")) == 2


def test_a_bots_message_whose_answer_is_lost_is_found(world: World) -> None:
    executor = world.executor(slack=None)
    answer = world.answer

    def lose_one(heard: Heard) -> Reply:
        world.listener.answer = answer
        answer(heard)
        return Reply(cut=1)

    world.listener.answer = lose_one
    results = {"slack": executor.do("slack", world.job(alert(1)))}
    told = executor.do("rest", world.job(alert(1), results))
    assert told == {"slack": {"sent": True, "channel": "C1", "ts": "1.0", "severity": "warning"}}
    assert len(world.slack) == 1


def test_after_a_crash_behind_the_message_it_is_not_sent_again(world: World) -> None:
    executor = world.executor(slack=None)
    executor.do("slack", world.job(alert(1)))
    assert executor.find("slack", world.job(alert(1))) == {
        "sent": True,
        "channel": "C1",
        "ts": "1.0",
        "severity": "warning",
    }
    with world.connect() as connection:
        connection.execute("TRUNCATE notification")
    # Not even the record knows of it: Slack does.
    found = executor.find("slack", world.job(alert(1)))
    assert found is not None
    assert found["ts"] == "1.0"
    assert len(world.heard("/api/chat.postMessage")) == 1


def test_before_anything_was_sent_nothing_is_found(world: World) -> None:
    executor = world.executor(slack=None, webhook=None)
    assert [executor.find(step, world.job(alert(1))) for step in executor.steps] == [None, None, None]


def test_alerts_of_one_drift_make_one_message(world: World) -> None:
    world.executor(slack=None, webhook=None)
    whole = alert(1, segment="all")
    part = alert(2, ts=NOON + 59_000)
    late = alert(3, ts=NOON + 61_000, segment="app=late")
    other = alert(4, metric="toxicity", segment="app=t")
    same = alert(5, metric="toxicity_rate", segment="app=t")
    for one in (whole, part, late, other, same):
        world.carry(one)
    assert [body["text"] for body in world.slack.values()] == [
        "[warning] refusal_rate in all",
        "[warning] refusal_rate in app=late",
        "[warning] toxicity in app=t",
    ]
    world.keep()
    assert [body["text"] for body in world.slack.values()] == [
        "[warning] refusal_rate in all (and 1 more alert)",
        "[warning] refusal_rate in app=late",
        "[warning] toxicity in app=t (and 1 more alert)",
    ]
    assert [body["id"] for body in world.heard("/own")] == ["a1", "a3", "a4", "a1", "a4"]


def test_alerts_that_wait_together_are_told_together(world: World) -> None:
    world.executor(hook=None)
    ones = [alert(1, segment="all"), alert(2), alert(3, segment="app=b")]
    for one in ones:
        world.propose(one)
    assert [world.carry(one)["slack"] for one in ones] == [{"sent": True}, {"joined": "a1"}, {"joined": "a1"}]
    world.keep()
    [body] = world.heard("/hook")
    assert body["text"] == "[warning] refusal_rate in all (and 2 more alerts)"


def test_a_message_follows_its_alert_until_the_receipt(world: World) -> None:
    world.executor(slack=None, pagerduty=None)
    one = alert(1)
    tune = world.propose(one, "tune")
    world.carry(one)
    world.becomes(alert(1, revision=2, severity="critical"))
    world.keep()
    assert world.slack["1.0"]["text"] == "[critical] refusal_rate in app=shop,model=gpt"
    assert world.slack["2.0"]["thread_ts"] == "1.0", "people are called in its thread"
    world.becomes(alert(1, revision=3, status="resolved"))
    world.keep()
    receipt = Jsonb({"verdict": "helped", "before": 0.12, "after": 0.03})
    with world.connect() as connection:
        connection.execute(
            "UPDATE action_log SET status = 'verified', revision = 2, receipt = %s, updated_at = now() "
            "WHERE id = %s",
            [receipt, tune],
        )
    world.keep()
    shown = json.dumps(world.slack["1.0"], ensure_ascii=False)
    assert world.slack["1.0"]["text"].startswith("[resolved]")
    assert "tune: verified, helped: refusal_rate 12 % → 3 %" in shown
    assert [body["event_action"] for body in world.heard("/pager")] == ["trigger", "trigger", "resolve"]
    assert [body["payload"]["severity"] for body in world.heard("/pager")[:2]] == ["warning", "critical"]
    before = len(world.listener.heard)
    world.keep()
    assert len(world.listener.heard) == before, "nothing has changed"


def test_where_a_message_cannot_be_changed_only_what_weighs_is_told(world: World) -> None:
    world.executor(hook=None)
    world.carry(alert(1))
    world.becomes(alert(1, revision=2, current=0.13))
    world.keep()
    assert len(world.heard("/hook")) == 1
    world.becomes(alert(1, revision=3, status="resolved"))
    world.keep()
    world.keep()
    assert [body["text"][:10] for body in world.heard("/hook")] == ["[warning] ", "[resolved]"]


def test_what_cannot_be_brought_up_to_date_now_is_tried_again(world: World) -> None:
    world.executor(pagerduty=None)
    world.carry(alert(1))
    world.becomes(alert(1, revision=2, status="resolved"))
    world.rude = {"pager"}
    world.keep()
    world.rude = set()
    world.keep()
    assert world.heard("/pager")[-1]["event_action"] == "resolve"
    with world.connect() as connection:
        row = connection.execute("SELECT failures FROM notification").fetchone()
    assert row == (0,)


def test_what_is_not_serious_enough_is_told_when_it_becomes_so(world: World) -> None:
    world.executor(slack={"min_severity": "warning"})
    told = world.carry(alert(1, severity="info"))["slack"]
    assert told == {"not_told": "severity info is below warning"}
    world.keep()
    assert world.slack == {}
    world.becomes(alert(1, revision=2, severity="critical"))
    world.keep()
    assert world.slack["1.0"]["text"].startswith("[critical]")


def test_beyond_the_limit_only_the_critical_is_told_and_says_what_was_withheld(world: World) -> None:
    world.executor(hook={"max_per_hour": 2})
    results = [
        world.carry(alert(n, ts=NOON + n * HOUR_MS, summary=f"drift {n}", severity=severity))["slack"]
        for n, severity in enumerate(["warning", "info", "warning", "warning", "critical"], 1)
    ]
    assert [("sent" in result) for result in results] == [True, True, False, False, True]
    assert results[2] == {"not_told": "beyond 2 messages an hour; the next message says so"}
    last = world.heard("/hook")[-1]["attachments"][0]["blocks"][-1]["elements"][0]["text"]
    assert last == "Not told because of this channel's limit: drift 3; drift 4."
    world.carry(alert(6, ts=NOON + 6 * HOUR_MS, severity="critical"))
    assert "Not told" not in json.dumps(world.heard("/hook")[-1]), "it is said once"


def test_an_hour_later_the_channel_has_room_again(world: World) -> None:
    world.executor(hook={"max_per_hour": 1})
    world.carry(alert(1))
    with world.connect() as connection:
        connection.execute("UPDATE notification_post SET posted_at = posted_at - interval '1 hour'")
    assert world.carry(alert(2, ts=NOON + HOUR_MS))["slack"] == {"sent": True}


def test_a_drift_that_is_over_opens_no_incident(world: World) -> None:
    world.executor(pagerduty=None)
    world.becomes(alert(1, revision=2, status="resolved"))
    assert world.carry(alert(1))["pagerduty"] == {"not_told": "it is resolved already"}
    assert world.listener.heard == []


def test_two_keepers_at_once_tell_a_change_once(world: World) -> None:
    world.executor(hook=None)
    world.carry(alert(1))
    world.becomes(alert(1, revision=2, status="resolved"))
    keepers = [Keeper(list(world.made._channels.values()), None) for _ in range(2)]
    with world.connect() as one, world.connect() as other:
        one.execute("UPDATE notification SET next_look = now()")
        looked = [keepers[0].once(one), keepers[1].once(other)]
    assert looked == [True, False]
    assert len(world.heard("/hook")) == 2


def test_a_plan_opens_no_socket(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    executor = world.executor(slack=None, pagerduty=None, email=_mail())
    job = world.job(alert(1, severity="info"))

    def refuse(*_: object) -> None:
        raise AssertionError("a plan must stay at home")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(psycopg, "connect", refuse)
    planned = executor.plan(job)
    assert planned == ("tell Slack C1; mail to ann@example.org: [info] refusal_rate in app=shop,model=gpt")


def _mail() -> dict[str, Any]:
    return {"host": "mail.example.org", "from": "drift@example.org", "to": ["ann@example.org"]}


def test_messages_are_not_taken_back(world: World) -> None:
    with pytest.raises(ActionFailed, match="cannot be taken back"):
        world.executor(hook=None).undo(world.job(alert(1)))


def test_without_a_channel_there_is_no_executor() -> None:
    assert make(make_settings()) is None


Start = Callable[..., Any]


def test_a_test_message_reaches_the_channels_and_says_which_does_not(
    world: World, start_command: Start
) -> None:
    secret = "T0-SECRET"
    values = {
        "notify__slack__webhook_url": f"{world.listener.url}/hook/{secret}",
        "notify__pagerduty__routing_key": secret,
        "notify__pagerduty__url": world.listener.url + "/pager",
        "notify__attempts": 1,
    }
    tested = start_command("notify", "--test", **values)
    assert tested.wait() == 0, tested.shown()
    assert tested.stdout == "ok      pagerduty: sent\nok      slack: sent\n"
    assert [body["event_action"] for body in world.heard("/pager")] == ["trigger", "resolve"]
    assert world.heard("/hook")[0]["text"] == "Test: [info] refusal_rate in all"
    world.rude = {"hook"}
    failed = start_command("notify", "--test", "--channel", "slack", "--json", **values)
    assert failed.wait() == 1
    assert json.loads(failed.stdout)["error"] == "Slack is busy (HTTP 503); it is asked again later"
    assert secret not in tested.shown() + failed.shown()


def test_a_channel_that_is_not_set_is_named_with_those_that_are(start_command: Start) -> None:
    there = {"notify__webhook__url": "http://127.0.0.1:9/"}
    asked = start_command("notify", "--channel", "slack", **there)
    assert asked.wait() == 2
    assert "no channel slack; the section notify has webhook" in asked.shown()
    listed = start_command("notify", **there)
    assert listed.wait() == 0
    assert listed.stdout == "ok      webhook: the webhook\n"


def test_a_database_that_is_away_is_no_fault_of_the_channel(world: World) -> None:
    executor = world.executor(hook=None)
    job = world.job(alert(1))
    nowhere = "postgresql://postgres@127.0.0.1:9/none"
    with pytest.raises(DatabaseUnreachable):
        executor.do("slack", replace(job, connect=lambda: store.connect(nowhere, "test")))
    assert world.listener.heard == []


def test_the_thread_of_act_brings_messages_up_to_date(world: World) -> None:
    world.executor(pagerduty=None)
    world.carry(alert(1))
    world.becomes(alert(1, revision=2, status="resolved"))
    with world.connect() as connection:
        connection.execute("UPDATE notification SET next_look = now()")
    stop = threading.Event()
    with keeping(world.settings, stop):
        wait_until(lambda: len(world.heard("/pager")) == 2, 30)
    assert stop.is_set()
    assert world.heard("/pager")[-1]["event_action"] == "resolve"


def test_in_a_dry_run_no_thread_is_started(world: World) -> None:
    world.executor(pagerduty=None)
    before = threading.active_count()
    dry = world.settings.model_copy(update={"actions": Actions(dry_run=True)})
    with keeping(dry, threading.Event()):
        assert threading.active_count() == before
