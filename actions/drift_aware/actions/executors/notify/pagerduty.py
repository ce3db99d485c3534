"""PagerDuty, Events v2: one incident for each drift, resolved when the drift is over.

The ``dedup_key`` is the alert's id, so an event that is sent twice opens one incident.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from drift_aware.actions.executors.notify import templates
from drift_aware.actions.executors.notify.channel import Handle
from drift_aware.actions.executors.notify.story import HEADINGS, Story, clip, family
from drift_aware.actions.executors.notify.wire import Wire, timestamp
from drift_aware.schema.notify_settings import Notify

_SUMMARY_CHARACTERS = 1024


class PagerDuty:
    """One integration.

    Args:
        notify: the section ``notify``.
        routing_key: of the integration.
        names: what a template may name.
    """

    name = "pagerduty"
    incident = True
    edits = True

    def __init__(self, notify: Notify, routing_key: str, names: Mapping[str, str]) -> None:
        self.limits = notify.pagerduty
        self._key, self._url = routing_key, notify.pagerduty.url
        self._template = templates.read(notify.pagerduty.template, names)
        self._wire = Wire("PagerDuty", "check notify.pagerduty.routing_key", notify, repeatable=True)

    def plan(self) -> str:
        """Where the message would go."""
        return "PagerDuty"

    def digest(self, story: Story) -> list[object]:
        """Seriousness, end and extent: another event reopens an incident that somebody has closed."""
        return [story.over, story.severity, sorted(alert.id for alert in story.alerts)]

    def send(self, story: Story, key: str) -> Handle:
        """Open the incident, or bring it up to date, or resolve it; see ``Channel``."""
        del key
        self._wire.send(self._url, msgspec.json.encode(self.event(story)), lambda _: {})
        return {"dedup_key": story.lead}

    def find(self, story: Story, key: str) -> Handle | None:
        """Nothing: the same event may be sent again."""
        del story, key
        return None

    def update(self, story: Story, key: str, handle: Handle) -> Handle:
        """The same as the first: the event says where the drift stands."""
        del handle
        return self.send(story, key)

    def event(self, story: Story) -> dict[str, Any]:
        """The body of the request."""
        event: dict[str, Any] = {"routing_key": self._key, "dedup_key": story.lead}
        if story.over:
            return event | {"event_action": "resolve"}
        head = story.head
        text = f"{story.title}: {story.summary}"
        if self._template is not None:
            text = self._template.substitute(story.values()).strip()
        payload = {
            "summary": clip(text, _SUMMARY_CHARACTERS),
            "severity": story.severity,
            "source": head.segment,
            "timestamp": timestamp(head.onset / 1000),
            "component": head.metric,
            "group": family(head),
            "class": head.kind,
            "custom_details": details(story),
        }
        links = [{"href": address, "text": words} for words, address in story.links]
        return event | {
            "event_action": "trigger",
            "payload": payload,
            "client": "Drift-Aware",
            **({"client_url": links[0]["href"], "links": links} if links else {}),
        }


def details(story: Story) -> dict[str, str]:
    """What stands beside the summary, for both services that keep incidents."""
    row = dict(zip(HEADINGS, story.rows[0], strict=True))
    found = row | {"summary": story.summary}
    if story.news:
        found["news"] = "; ".join(story.news)
    if len(story.rows) > 1:
        found["also"] = "; ".join(f"{each[0]}: {each[2]} → {each[3]}" for each in story.rows[1:])
    if story.kept_back:
        found["withheld"] = story.kept_back
    return found


def make(notify: Notify, names: Mapping[str, str]) -> PagerDuty | None:
    """The channel of the section; None if it has no key."""
    key = notify.pagerduty.routing_key
    return None if key is None else PagerDuty(notify, key.get_secret_value(), names)
