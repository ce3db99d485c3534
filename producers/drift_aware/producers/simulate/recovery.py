"""Whether an action has been taken, so that the simulated application can do well again."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from confluent_kafka import Consumer, TopicPartition

from drift_aware.schema.alerts import Action
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import ACTIONS

_POLL_SECONDS = 0.5
_ANSWER_SECONDS = 10.0
_HELPS = ("approved", "succeeded")
_action = msgspec.json.Decoder(Action)


@contextmanager
def helped(settings: Settings) -> Iterator[threading.Event]:
    """An event that is set once an action other than a message is approved or has succeeded, from now on."""
    found, over = threading.Event(), threading.Event()
    thread = threading.Thread(target=_follow, args=(settings, found, over), name="simulated-recovery")
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def _follow(settings: Settings, found: threading.Event, over: threading.Event) -> None:
    consumer = Consumer(
        settings.kafka.client()
        | {
            "group.id": "drift-aware-simulate",  # the client wants one; nothing is committed
            "enable.auto.commit": False,
            "auto.offset.reset": "latest",
            "log_level": 2,
        }
    )
    try:
        partitions = consumer.list_topics(ACTIONS.name, _ANSWER_SECONDS).topics[ACTIONS.name].partitions
        consumer.assign([TopicPartition(ACTIONS.name, each) for each in partitions])
        while not over.is_set() and not found.is_set():
            message = consumer.poll(_POLL_SECONDS)
            if message is None or message.error() is not None:
                continue
            if _helps(message.value()):
                found.set()
    finally:
        consumer.close()


def _helps(value: bytes | str | None) -> bool:
    try:
        action = _action.decode(value or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False  # whatever lies there must not end the wait for an action that helps
    return action.action != "notify" and action.status in _HELPS
