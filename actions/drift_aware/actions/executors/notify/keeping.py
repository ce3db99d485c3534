"""Brings messages up to date: alerts that change or end, and what has become of actions.

What an alert has become is read from ``drift_events``, which ``persist`` keeps. A message that cannot be
brought up to date now is tried again, ever more seldom.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID, uuid5

import msgspec
import psycopg
import structlog

from drift_aware.actions.errors import ActionFailed, Unknown
from drift_aware.actions.executors.notify import sent
from drift_aware.actions.executors.notify.channel import Channel, Handle
from drift_aware.actions.executors.notify.channels import configured
from drift_aware.actions.executors.notify.sent import Stale
from drift_aware.actions.executors.notify.story import Story
from drift_aware.actions.executors.notify.telling import over_limit, too_mild
from drift_aware.actions.executors.notify.wire import Busy
from drift_aware.schema.errors import Unreachable
from drift_aware.schema.settings import Settings
from drift_aware.sql import store
from drift_aware.sql.store import Connection

LOOK_SECONDS = 2.0
# Changes come in bursts; what comes within this time is told together.
SETTLE_SECONDS = 5.0
LONGEST_RETRY_SECONDS = 3600.0
# Never changed: a follow-up that is sent again must have the key it had.
_KEYS = UUID("a5a0c9a4-5b0e-5f57-93f1-2f6a3f0d9c11")

log = structlog.get_logger(__name__)


class Keeper:
    """Keeps the messages of some channels up to date.

    Args:
        channels: whose messages.
        page_url: as in the settings.
    """

    def __init__(self, channels: Sequence[Channel], page_url: str | None) -> None:
        self._channels = {channel.name: channel for channel in channels}
        self._page_url = page_url

    def once(self, connection: Connection) -> bool:
        """Look at one message; False if there is none to look at.

        Args:
            connection: in autocommit mode.
        """
        stale = sent.claim_stale(connection, list(self._channels))
        if stale is None:
            return False
        channel = self._channels[stale.channel]
        story = sent.story(connection, channel.name, stale.alert_id, self._page_url, [])
        if not story.alerts or not _has_news(channel, story, stale):
            sent.put_off(connection, stale, SETTLE_SECONDS)
            return True
        try:
            self._tell(connection, channel, story, stale)
        except Unreachable as error:
            wait = min(10.0 * 2 ** min(stale.failures, 10), LONGEST_RETRY_SECONDS)
            sent.put_off(connection, stale, wait, stale.failures + 1)
            log.warning("not brought up to date", channel=channel.name, alert=story.lead, error=str(error))
        return True

    def _tell(self, connection: Connection, channel: Channel, story: Story, stale: Stale) -> None:
        first, edited = stale.state == "quiet", stale.state != "quiet" and channel.edits
        # Edits disturb nobody, and what has begun is to have its end.
        if not edited and not story.over and over_limit(connection, channel, story):
            raise Busy(f"beyond {channel.limits.max_per_hour} messages an hour")
        digest = channel.digest(story)
        named = f"{story.lead}/{channel.name}/{msgspec.json.encode(digest).decode()}"
        key = str(uuid5(_KEYS, named))
        before: Handle = stale.handle or {}
        try:
            handle = channel.send(story, key) if first else channel.update(story, key, before)
        except (ActionFailed, Unknown) as error:
            if first:
                raise Busy(str(error)) from None
            # Another try would end the same, or be a second message: as it is, it has been told.
            log.error("not brought up to date", channel=channel.name, alert=story.lead, error=str(error))
            handle = before
        with connection.transaction():
            sent.tell(connection, channel.name, story.lead, handle, digest, stale.claimed_at, edited=edited)
        log.info("brought up to date", channel=channel.name, alert=story.lead, status=story.status)


def _has_news(channel: Channel, story: Story, stale: Stale) -> bool:
    if stale.state == "quiet" and (too_mild(channel, story) or story.over):
        return False
    return channel.digest(story) != stale.told


@contextmanager
def keeping(settings: Settings, stop: threading.Event) -> Iterator[None]:
    """Keep messages up to date in a thread, as long as the block lasts; not in a dry run.

    Raises:
        SettingsError: a template or a certificate cannot be read.
    """
    channels = configured(settings.notify)
    if settings.actions.dry_run or not channels:
        yield
        return
    keeper = Keeper(channels, settings.notify.page_url)
    thread = threading.Thread(target=_run, args=[keeper, settings, stop], name="act updates", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(settings.notify.timeout_seconds)


def _run(keeper: Keeper, settings: Settings, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            with store.connect(settings.require_database_url(), "act updates") as connection:
                while not stop.is_set():
                    if not keeper.once(connection):
                        stop.wait(LOOK_SECONDS)
        except (Unreachable, psycopg.Error) as error:
            log.warning("messages are brought up to date later", cause=type(error).__name__)
            stop.wait(LOOK_SECONDS)
        except Exception as error:  # noqa: BLE001 - one message must not keep the others from being told
            # The claim holds for two minutes, so the others come first.
            log.error("a mistake in bringing a message up to date", error=type(error).__name__)
            stop.wait(LOOK_SECONDS)
