"""Opsgenie: one alert for each drift, with notes on what changes, closed when the drift is over.

The ``alias`` is the alert's id, so a request that is sent twice opens one.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from drift_aware.actions.executors.notify import templates
from drift_aware.actions.executors.notify.channel import Handle
from drift_aware.actions.executors.notify.pagerduty import details
from drift_aware.actions.executors.notify.story import Story, clip, family
from drift_aware.actions.executors.notify.wire import Wire
from drift_aware.schema.alerts import Severity
from drift_aware.schema.notify_settings import Notify

PRIORITIES: Mapping[Severity, str] = {"info": "P5", "warning": "P3", "critical": "P1"}
_MESSAGE_CHARACTERS = 130
_DESCRIPTION_CHARACTERS = 15_000
_NOTE_CHARACTERS = 25_000


class Opsgenie:
    """One integration.

    Args:
        notify: the section ``notify``.
        api_key: of the integration.
        names: what a template may name.
    """

    name = "opsgenie"
    incident = True
    edits = True

    def __init__(self, notify: Notify, api_key: str, names: Mapping[str, str]) -> None:
        self.limits = notify.opsgenie
        self._key, self._url = api_key, notify.opsgenie.url.rstrip("/") + "/v2/alerts"
        self._team = notify.opsgenie.team
        self._template = templates.read(notify.opsgenie.template, names)
        advice = "check notify.opsgenie.api_key and url"
        self._wire = Wire("Opsgenie", advice, notify, repeatable=True)

    def plan(self) -> str:
        """Where the message would go."""
        return "Opsgenie"

    def digest(self, story: Story) -> list[object]:
        """What is worth a note."""
        return story.weighty()

    def send(self, story: Story, key: str) -> Handle:
        """Open the alert; see ``Channel``."""
        del key
        self._call("", self.alert(story))
        return {"alias": story.lead, "priority": PRIORITIES[story.severity]}

    def find(self, story: Story, key: str) -> Handle | None:
        """Nothing: the same request may be sent again."""
        del story, key
        return None

    def update(self, story: Story, key: str, handle: Handle) -> Handle:
        """Close the alert, or add a note, and its priority if that has changed."""
        del key
        note = clip("\n".join([story.title, story.summary, *story.news]), _NOTE_CHARACTERS)
        at = f"/{quote(story.lead, safe='')}"
        if story.over:
            self._call(f"{at}/close", {"note": note, "source": "Drift-Aware"})
            return handle
        self._call(f"{at}/notes", {"note": note, "source": "Drift-Aware"})
        priority = PRIORITIES[story.severity]
        if priority != handle.get("priority"):
            self._call(f"{at}/priority", {"priority": priority}, method="PUT")
        return {**handle, "priority": priority}

    def alert(self, story: Story) -> dict[str, Any]:
        """The body of the request that opens an alert."""
        head = story.head
        text = templates.plain(self._template, story, "")
        return {
            "message": clip(story.title, _MESSAGE_CHARACTERS),
            "alias": story.lead,
            "description": clip(text, _DESCRIPTION_CHARACTERS),
            "priority": PRIORITIES[story.severity],
            "source": "Drift-Aware",
            "entity": head.segment,
            "tags": ["drift", head.kind, family(head)],
            "details": details(story),
            **({"responders": [{"type": "team", "name": self._team}]} if self._team else {}),
        }

    def _call(self, path: str, body: Mapping[str, Any], method: str = "POST") -> None:
        by_alias = "?identifierType=alias" if path else ""
        self._wire.send(
            self._url + path + by_alias,
            msgspec.json.encode(body),
            lambda _: {"Authorization": f"GenieKey {self._key}"},
            method,
        )


def make(notify: Notify, names: Mapping[str, str]) -> Opsgenie | None:
    """The channel of the section; None if it has no key."""
    key = notify.opsgenie.api_key
    return None if key is None else Opsgenie(notify, key.get_secret_value(), names)
