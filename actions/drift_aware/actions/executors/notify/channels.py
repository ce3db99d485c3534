"""Which channels the settings have."""

from collections.abc import Callable, Mapping

from drift_aware.actions.executors.notify import letter, opsgenie, pagerduty, slack, webhook
from drift_aware.actions.executors.notify.channel import Channel
from drift_aware.actions.executors.notify.story import Story
from drift_aware.schema.alerts import Alert, Severity, Window
from drift_aware.schema.notify_settings import Notify

Maker = Callable[[Notify, Mapping[str, str]], Channel | None]

# In this order: who has to wake somebody up comes first, and does not wait for the others.
MAKERS: tuple[Maker, ...] = (pagerduty.make, opsgenie.make, slack.make, letter.make, webhook.make)


def configured(notify: Notify) -> list[Channel]:
    """The channels of the settings, in the order in which they are told.

    Raises:
        SettingsError: a template or a certificate cannot be read.
    """
    names = example().values()
    made = [make(notify, names) for make in MAKERS]
    return [channel for channel in made if channel is not None]


def example(severity: Severity = "info", page_url: str | None = None) -> Story:
    """A story that is made up, to see whether messages arrive."""
    minute = 60_000
    end = 1_772_366_400_000
    alert = Alert(
        id="test",
        revision=1,
        status="firing",
        severity=severity,
        kind="behavior",
        metric="refusal_rate",
        detector="shift",
        segment="all",
        onset=end - 20 * minute,
        ts=end,
        current=0.12,
        baseline_value=0.03,
        score=40.0,
        threshold=20.0,
        window=Window(end - 10 * minute, end, 1234),
        summary="this is what a message looks like; nothing has happened",
    )
    return Story(lead=alert.id, alerts=[alert], page_url=page_url, test=True)
