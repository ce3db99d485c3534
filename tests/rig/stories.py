"""Stories and channels for tests of messages."""

from typing import Any, TypeVar

from drift_aware.actions.executors.notify.channel import Channel
from drift_aware.actions.executors.notify.channels import configured
from drift_aware.actions.executors.notify.story import Story
from drift_aware.schema.alerts import Action, ActionStatus
from drift_aware.schema.notify_settings import Notify
from rig_events import NOON, alert

PAGE = "https://drift.example"
T = TypeVar("T")


def action(status: ActionStatus = "proposed", **fields: Any) -> Action:
    values: dict[str, Any] = {
        "id": "t1",
        "revision": 1,
        "action": "tune",
        "status": status,
        "alert_id": "a1",
        "segment": "all",
        "metric": "refusal_rate",
        "severity": "warning",
        "ts": NOON,
        "dry_run": False,
        "reason": "refusals have risen",
    }
    return Action(**(values | fields))


def story(**fields: Any) -> Story:
    """One alert about a segment that has to be escaped, and a proposed action."""
    one = alert(1, segment="app=<!channel>&co", severity=fields.pop("severity", "warning"))
    values: dict[str, Any] = {"lead": "a1", "alerts": [one], "actions": [action()], "page_url": PAGE}
    return Story(**(values | fields))


def channel(**sections: Any) -> Channel:
    """The one channel of a section ``notify``."""
    [found] = configured(Notify(**({"timeout_seconds": 0.5} | sections)))
    return found
