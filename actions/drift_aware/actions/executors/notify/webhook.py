"""A service of one's own: JSON by POST, signed if there is a secret.

The header ``X-Drift-Aware-Signature`` is ``t=SECONDS,v1=HEX``: HMAC-SHA256 of ``SECONDS.BODY``. A message
that is sent again has the same ``Idempotency-Key``.
"""

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from drift_aware.actions.executors.notify import templates
from drift_aware.actions.executors.notify.channel import Handle
from drift_aware.actions.executors.notify.story import Story
from drift_aware.actions.executors.notify.wire import Wire
from drift_aware.schema.notify_settings import Notify

SIGNATURE = "X-Drift-Aware-Signature"
# Of an alert: words of the interactions' texts stay at home.
_LEFT_OUT = {"words"}


def signature(secret: str, body: bytes, seconds: int) -> str:
    """What the receiver compares: it computes the same, and looks whether the time is recent."""
    signed = hmac.new(secret.encode(), b"%d." % seconds + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={signed}"


class Webhook:
    """One address that every message goes to.

    Args:
        notify: the section.
        url: the address.
        names: what a template may name.
        now: Unix time in seconds.
    """

    name = "webhook"
    incident = False
    edits = False

    def __init__(
        self, notify: Notify, url: str, names: Mapping[str, str], now: Callable[[], float] = time.time
    ) -> None:
        self.limits = notify.webhook
        self._url, self._now = url, now
        self._secret = notify.webhook.secret.get_secret_value() if notify.webhook.secret else None
        self._template = templates.read_json(notify.webhook.template, names)
        self._wire = Wire("the webhook", "check notify.webhook.url", notify, repeatable=True)

    def plan(self) -> str:
        """Where the message would go."""
        return "the webhook"

    def digest(self, story: Story) -> list[object]:
        """What weighs enough for another message."""
        return story.weighty()

    def send(self, story: Story, key: str) -> Handle:
        """Post it; see ``Channel``."""
        body = self._body(story, key)
        self._wire.send(self._url, body, lambda body: self._headers(body, key))
        return {}

    def find(self, story: Story, key: str) -> Handle | None:
        """Nothing: it cannot be asked, but knows by the key what it has had."""
        del story, key
        return None

    def update(self, story: Story, key: str, handle: Handle) -> Handle:
        """Post another message about the same ``id``."""
        del handle
        return self.send(story, key)

    def _body(self, story: Story, key: str) -> bytes:
        if self._template is not None:
            return templates.fill_json(self._template, story.values()).encode()
        return msgspec.json.encode(document(story, key))

    def _headers(self, body: bytes, key: str) -> dict[str, str]:
        given = {"Idempotency-Key": key}
        return given | ({SIGNATURE: signature(self._secret, body, int(self._now()))} if self._secret else {})


def document(story: Story, key: str) -> dict[str, Any]:
    """The body where there is no template."""
    alerts = [msgspec.to_builtins(alert) for alert in story.sorted]
    return {
        "event": f"drift.{story.status}",
        "id": story.lead,
        "key": key,
        "test": story.test,
        "title": story.title,
        "summary": story.summary,
        "severity": story.severity,
        "alerts": [{name: each[name] for name in each if name not in _LEFT_OUT} for each in alerts],
        "actions": [msgspec.to_builtins(action) for action in story.actions],
        "links": [{"text": words, "url": address} for words, address in story.links],
        "withheld": list(story.withheld),
    }


def make(notify: Notify, names: Mapping[str, str]) -> Webhook | None:
    """The channel of the section; None if it has no address."""
    url = notify.webhook.url
    return None if url is None else Webhook(notify, url.get_secret_value(), names)
