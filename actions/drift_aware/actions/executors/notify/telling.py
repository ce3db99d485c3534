"""The executor of ``notify``: one step for each channel, and one for what did not go out.

A channel that fails must not keep the others from being told. So its step ends with what was wrong, and the
last step, ``rest``, tries those channels again: for hours while they do not answer, and once if they refuse.
Failed and approved once more, only ``rest`` is repeated.
"""

from collections.abc import Sequence
from dataclasses import replace

import structlog

from drift_aware.actions.errors import ActionFailed, Unknown
from drift_aware.actions.executor import Job, Result
from drift_aware.actions.executors.notify import sent
from drift_aware.actions.executors.notify.channel import Channel
from drift_aware.actions.executors.notify.channels import configured
from drift_aware.actions.executors.notify.sent import Place
from drift_aware.actions.executors.notify.story import SEVERITIES, Story
from drift_aware.actions.executors.notify.wire import Busy
from drift_aware.schema.alerts import ActionKind, Alert, Effect
from drift_aware.schema.errors import Unreachable
from drift_aware.schema.notify_settings import Notify
from drift_aware.schema.settings import Settings
from drift_aware.sql.store import Connection

REST = "rest"

log = structlog.get_logger(__name__)


class NotifyExecutor:
    """Tells people of an alert.

    Args:
        notify: the section of the settings.
        channels: in the order in which they are told; at least one.
    """

    kind: ActionKind = "notify"

    def __init__(self, notify: Notify, channels: Sequence[Channel]) -> None:
        self._notify = notify
        self._channels = {channel.name: channel for channel in channels}
        self.steps: Sequence[str] = (*self._channels, REST)

    def expected(self, alert: Alert) -> Effect | None:
        """Nothing: a message changes no metric."""
        del alert
        return None

    def plan(self, job: Job) -> str:
        """Who would be told what."""
        story = Story(lead=job.action.alert_id, alerts=[_alert(job)])
        told = [each for each in self._channels.values() if not too_mild(each, story)]
        where = "; ".join(channel.plan() for channel in told) or "nobody, for it is not serious enough"
        return f"tell {where}: {story.title}"

    def do(self, step: str, job: Job) -> Result:
        """Tell one channel, or those that were left.

        Raises:
            ActionFailed: in ``rest``: a channel refuses the message, or may have had it twice.
            Unreachable: in ``rest``: a channel still does not answer; it is tried again later.
        """
        if step == REST:
            return self._rest(job)
        try:
            return self._tell(self._channels[step], job)
        except (ActionFailed, Unknown, Busy) as error:
            log.warning("not told", channel=step, alert=job.action.alert_id, error=str(error))
            return {"failed": str(error)}

    def find(self, step: str, job: Job) -> Result | None:
        """The message of a step, if it is known or can be found; None lets it go out again.

        A message twice is better than none, so no step waits for a person.
        """
        return None if step == REST else self._find(self._channels[step], job)

    def undo(self, job: Job) -> str:
        """Nothing.

        Raises:
            ActionFailed: always.
        """
        del job
        raise ActionFailed("a message that has been read cannot be taken back")

    def _rest(self, job: Job) -> Result:
        failed = [name for name, result in job.results.items() if "failed" in result]
        told: dict[str, object] = {}
        wrong: list[str] = []
        down: list[str] = []
        for name in failed:
            if name not in self._channels:
                continue  # it is not in the settings any more
            channel = self._channels[name]
            try:
                told[name] = dict(self._find(channel, job) or self._tell(channel, job))
            except Busy as error:
                (down if self._is_early(channel, job) else wrong).append(str(error))
            except ActionFailed as error:
                wrong.append(str(error))
            except Unknown as error:
                # Twice it may have gone out; it does not go out a third time.
                self._close(channel, job)
                wrong.append(str(error))
        if wrong and not down:
            raise ActionFailed(f"{'; '.join(wrong)}; approved again, only what was refused is repeated")
        if down:
            raise Unreachable("; ".join(down + wrong))
        return told

    def _is_early(self, channel: Channel, job: Job) -> bool:
        with job.connect() as connection:
            age = sent.age_seconds(connection, channel.name, job.action.alert_id)
        return age < 3600 * self._notify.give_up_hours

    def _close(self, channel: Channel, job: Job) -> None:
        with job.connect() as connection:
            sent.mark(connection, channel.name, job.action.alert_id, "over")

    def _find(self, channel: Channel, job: Job) -> Result | None:
        with job.connect() as connection:
            known = sent.sent(connection, channel.name, job.action.alert_id)
            if known is not None:
                return {"sent": True, **known}
            story = Story(lead=job.action.alert_id, alerts=[_alert(job)])
            handle = channel.find(story, job.key(channel.name))
            if handle is None:
                return None
            place = sent.place(connection, channel.name, _alert(job), self._notify.group_seconds)
            with connection.transaction():
                sent.tell(
                    connection, channel.name, place.lead, handle, channel.digest(story), place.looked_at
                )
        return {"sent": True, **handle}

    def _tell(self, channel: Channel, job: Job) -> Result:
        with job.connect() as connection:
            place = sent.place(connection, channel.name, _alert(job), self._notify.group_seconds)
            if place.lead != job.action.alert_id:
                return {"joined": place.lead}
            if place.state == "sent":
                return {"sent": True, **(place.handle or {})}
            if place.state == "over":
                return {"not_told": "told of already, or over before it could be"}
            story = sent.story(connection, channel.name, place.lead, self._notify.page_url, [_alert(job)])
            return post(connection, channel, story, place, job.key(channel.name))


def _alert(job: Job) -> Alert:
    if job.alert is None:
        raise ActionFailed("there is no alert to tell of: messages follow from alerts only")
    return job.alert


def post(connection: Connection, channel: Channel, story: Story, place: Place, key: str) -> Result:
    """Send the first message about a drift, unless the channel's limits are against it."""
    against = None
    if too_mild(channel, story):
        sent.mark(connection, channel.name, story.lead, "quiet")
        against = f"severity {story.severity} is below {channel.limits.min_severity}"
    elif channel.incident and story.over:
        sent.mark(connection, channel.name, story.lead, "over")
        against = f"it is {story.status} already"
    elif over_limit(connection, channel, story):
        sent.mark(connection, channel.name, story.lead, "withheld")
        against = f"beyond {channel.limits.max_per_hour} messages an hour; the next message says so"
    if against is not None:
        return {"not_told": against}
    kept = sent.withheld(connection, channel.name)
    story = replace(story, withheld=list(kept.values()))
    handle = channel.send(story, key)
    with connection.transaction():
        sent.tell(connection, channel.name, story.lead, handle, channel.digest(story), place.looked_at)
        sent.told_withheld(connection, channel.name, list(kept))
    return {"sent": True, **handle}


def too_mild(channel: Channel, story: Story) -> bool:
    """Whether the channel wants only what is more serious."""
    return SEVERITIES.index(story.severity) < SEVERITIES.index(channel.limits.min_severity)


def over_limit(connection: Connection, channel: Channel, story: Story) -> bool:
    """Whether the channel has had enough messages this hour; what is critical goes out all the same."""
    critical = story.severity == "critical" and not story.over
    return not critical and sent.posts(connection, channel.name) >= channel.limits.max_per_hour


def make(settings: Settings) -> NotifyExecutor | None:
    """The executor, if the settings have a channel.

    Raises:
        SettingsError: a template or a certificate cannot be read.
    """
    channels = configured(settings.notify)
    return NotifyExecutor(settings.notify, channels) if channels else None
