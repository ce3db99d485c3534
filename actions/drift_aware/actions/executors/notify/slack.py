"""Slack: an incoming webhook, or a bot that posts and edits (chat.postMessage, chat.update).

A webhook gives nothing back to find a message by. When its answer is lost, the message is sent once more:
told twice is better than not told. The bot's messages carry the key in their metadata and are looked for.
"""

from collections.abc import Mapping
from typing import Any

import httpx2
import msgspec

from drift_aware.actions.errors import ActionFailed, Unknown
from drift_aware.actions.executors.notify import templates
from drift_aware.actions.executors.notify.channel import Handle
from drift_aware.actions.executors.notify.story import HEADINGS, Story, clip
from drift_aware.actions.executors.notify.wire import Busy, Wire
from drift_aware.schema.alerts import Severity
from drift_aware.schema.notify_settings import Notify, Slack

COLOURS: Mapping[Severity, str] = {"info": "#439FE0", "warning": "#DAA038", "critical": "#A30200"}
OVER = "#2EB67D"
EVENT_TYPE = "drift_aware_alert"
# Slack refuses longer ones.
_HEADER_CHARACTERS = 150
_SECTION_CHARACTERS = 2900
# Errors of its API that pass; the message has not been posted.
_PASSING = {"ratelimited", "rate_limited", "service_unavailable", "team_added_to_org"}
# Those that say nothing about whether it was.
_UNCLEAR = {"internal_error", "fatal_error", "request_timeout"}


def escaped(text: str) -> str:
    """Text as Slack shows it: what a segment is called must call nobody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def mentions(names: list[str]) -> str:
    """Those who are called.

    >>> mentions(["U02AB", "S0GRP", "here"])
    '<@U02AB> <!subteam^S0GRP> <!here>'
    """
    shapes = {"U": "<@{}>", "W": "<@{}>", "S": "<!subteam^{}>"}
    return " ".join(shapes.get(name[0], "<!{}>").format(name) for name in names)


class Text:
    """Makes the message.

    Args:
        settings: the section.
        names: what a template may name.
    """

    def __init__(self, settings: Slack, names: Mapping[str, str]) -> None:
        self._mention = settings.mention
        self._template = templates.read(settings.template, names)

    def message(self, story: Story, *, call: bool = True) -> dict[str, Any]:
        """The body: Block Kit blocks beside a bar in the colour of the severity.

        Args:
            story: what it tells.
            call: whether those in ``mention`` are called, if it is critical and not over.
        """
        called = mentions(self._mention) if call and story.severity == "critical" and not story.over else ""
        colour = OVER if story.over else COLOURS[story.severity]
        return {
            "text": f"{called} {escaped(story.title)}".strip(),
            "attachments": [{"color": colour, "fallback": story.title, "blocks": self._blocks(story)}],
        }

    def _blocks(self, story: Story) -> list[dict[str, Any]]:
        if self._template is not None:
            return [_section(self._template.substitute(_all_escaped(story.values())))]
        table = templates.aligned([HEADINGS, *story.rows]).replace("`", "'")
        header = {"type": "plain_text", "text": clip(story.title, _HEADER_CHARACTERS), "emoji": False}
        blocks = [
            {"type": "header", "text": header},
            _section(escaped(story.summary)),
            _section(f"```{escaped(clip(table, _SECTION_CHARACTERS - 400))}```"),
        ]
        blocks += [_section(escaped("\n".join(f"• {line}" for line in story.news)))] if story.news else []
        links = "  |  ".join(f"<{address}|{escaped(words)}>" for words, address in story.links)
        blocks += [_section(links)] if links else []
        blocks += [_context(escaped(story.kept_back))] if story.kept_back else []
        return blocks


class SlackWebhook:
    """An incoming webhook: what changes is followed up by another message, if it weighs enough."""

    name = "slack"
    incident = False
    edits = False

    def __init__(self, notify: Notify, text: Text, url: str) -> None:
        self.limits = notify.slack
        self._text, self._url = text, url
        self._wire = Wire("Slack", "check notify.slack.webhook_url", notify, repeatable=False)

    def plan(self) -> str:
        """Where the message would go."""
        return "Slack, by webhook"

    def digest(self, story: Story) -> list[object]:
        """What weighs enough for another message."""
        return story.weighty()

    def send(self, story: Story, key: str) -> Handle:
        """Post it; see ``Channel``."""
        del key
        self._wire.send(self._url, msgspec.json.encode(self._text.message(story)), lambda _: {})
        return {}

    def find(self, story: Story, key: str) -> Handle | None:
        """Nothing: a webhook cannot be asked."""
        del story, key
        return None

    def update(self, story: Story, key: str, handle: Handle) -> Handle:
        """Post another message."""
        del handle
        return self.send(story, key)


class SlackBot:
    """A bot: one message for each drift, which is edited; of what becomes critical its thread tells."""

    name = "slack"
    incident = False
    edits = True

    def __init__(self, notify: Notify, text: Text, token: str) -> None:
        self.limits = notify.slack
        self._text, self._token, self._channel = text, token, notify.slack.channel
        self._url = notify.slack.api_url.rstrip("/")
        advice = "check notify.slack.bot_token and its scopes"
        self._wire = Wire("Slack", advice, notify, repeatable=False)

    def plan(self) -> str:
        """Where the message would go."""
        return f"Slack {self._channel}"

    def digest(self, story: Story) -> list[object]:
        """Everything: an edit disturbs nobody."""
        return story.everything()

    def send(self, story: Story, key: str) -> Handle:
        """Post it; see ``Channel``."""
        metadata = {"event_type": EVENT_TYPE, "event_payload": {"key": key, "alert_id": story.lead}}
        body = {"channel": self._channel, **self._text.message(story), "metadata": metadata}
        answer = self._call("chat.postMessage", body, repeatable=False)
        return _handle(answer, story)

    def find(self, story: Story, key: str) -> Handle | None:
        """The message with the key in its metadata, among the latest; None also where the bot may not look.

        Only a channel that is named by its id can be read.
        """
        question = {"channel": self._channel, "include_all_metadata": True, "limit": 200}
        try:
            answer = self._call("conversations.history", question, repeatable=True)
        except (ActionFailed, Unknown, Busy):
            return None
        messages = answer.get("messages")
        for message in messages if isinstance(messages, list) else []:
            if isinstance(message, dict) and _key_of(message) == key and isinstance(message.get("ts"), str):
                return _handle(message | {"channel": self._channel}, story)
        return None

    def update(self, story: Story, key: str, handle: Handle) -> Handle:
        """Edit the message, and call people in its thread when it has become critical."""
        if "ts" not in handle:
            return self.send(story, key)  # the first one went by a webhook
        place = {"channel": handle["channel"], "ts": handle["ts"]}
        self._call("chat.update", place | self._text.message(story), repeatable=True)
        worse = story.severity == "critical" and not story.over and handle.get("severity") != "critical"
        if worse:
            reply = {"channel": handle["channel"], "thread_ts": handle["ts"], "reply_broadcast": True}
            self._call("chat.postMessage", reply | self._text.message(story), repeatable=False)
        return {**handle, "severity": story.severity}

    def _call(self, method: str, body: Mapping[str, Any], *, repeatable: bool) -> dict[str, Any]:
        answer = self._wire.send(
            f"{self._url}/{method}",
            msgspec.json.encode(body),
            lambda _: {
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json; charset=utf-8",
            },
            repeatable=repeatable,
        )
        return _accepted(answer, method)


def make(notify: Notify, names: Mapping[str, str]) -> SlackBot | SlackWebhook | None:
    """The channel of the section; None if it has neither token nor webhook."""
    settings = notify.slack
    text = Text(settings, names)
    if settings.bot_token:
        return SlackBot(notify, text, settings.bot_token.get_secret_value())
    if settings.webhook_url:
        return SlackWebhook(notify, text, settings.webhook_url.get_secret_value())
    return None


def _accepted(answer: httpx2.Response, method: str) -> dict[str, Any]:
    """What Slack says; its refusals come with HTTP 200."""
    try:
        said = msgspec.json.decode(answer.content, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Unknown(f"Slack answers {method} with something else than JSON; look for the message") from None
    if said.get("ok") is True:
        return said
    error = str(said.get("error"))
    if error in _PASSING:
        raise Busy(f"Slack is busy ({error}); it is asked again later")
    if error in _UNCLEAR:
        raise Unknown(f"Slack has trouble of its own ({error}); look whether the message is there")
    raise ActionFailed(f"Slack refuses {method}: {clip(error, 100)}; check notify.slack")


def _handle(answer: Mapping[str, Any], story: Story) -> Handle:
    if not isinstance(answer.get("ts"), str) or not isinstance(answer.get("channel"), str):
        raise Unknown("Slack does not say where the message is; look for it")
    return {"channel": answer["channel"], "ts": answer["ts"], "severity": story.severity}


def _key_of(message: Mapping[str, Any]) -> object:
    metadata = message.get("metadata")
    payload = metadata.get("event_payload") if isinstance(metadata, dict) else None
    return payload.get("key") if isinstance(payload, dict) else None


def _all_escaped(values: Mapping[str, str]) -> dict[str, str]:
    return {name: escaped(value) for name, value in values.items()}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": clip(text, _SECTION_CHARACTERS)}}


def _context(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": clip(text, _SECTION_CHARACTERS)}]}
