"""What the application is told to do differently, read beside it and never in its way."""

import ctypes
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from weakref import WeakSet

import msgspec
from confluent_kafka import OFFSET_BEGINNING as BEGINNING
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from drift_aware.schema.policies import EVERY_APP, Policy, in_force
from drift_aware.schema.topics import POLICIES

_METADATA_SECONDS = 5.0
_POLL_SECONDS = 0.2
_RETRY_SECONDS = 5.0

_SETTINGS: Mapping[str, Any] = {
    "client.id": "drift-aware",
    # librdkafka wants one; nothing is committed, and each process reads all there is.
    "group.id": "drift-aware-policies",
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    # Only what is critical; the rest comes by error_cb.
    "log_level": 2,
}

_decoder = msgspec.json.Decoder(Policy)
_log = logging.getLogger("drift_aware.producers.policies")


class PolicyClient:
    """The policy of an application, kept up to date by a daemon thread; make one per process and keep it.

    ``current`` answers from memory: it neither blocks nor raises. Until something has been read, and for
    what no policy speaks of, it gives the defaults; while Kafka is away, what was read last, each part until
    it expires; a record that cannot be read changes nothing.

    Args:
        bootstrap_servers: ``host:port``, or several with commas.
        app: whose policy, by the name it publishes with.
        defaults: what the application does without any policy.
        client: more settings of librdkafka, for instance TLS and SASL; they win over the built-in ones.
        clock: the time in seconds since 1970.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        app: str | None = None,
        *,
        defaults: Policy | None = None,
        client: Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = {**_SETTINGS, **(client or {}), "bootstrap.servers": bootstrap_servers}
        self._apps = list(dict.fromkeys((app or EVERY_APP, EVERY_APP)))
        self._defaults = defaults or Policy(app=app or EVERY_APP)
        self._clock = clock
        # Replaced as a whole, so that it is read without a lock.
        self._known: dict[str, Policy] = {}
        self._begin()
        _clients.add(self)

    def current(self) -> Policy:
        """What holds now; a part that neither a policy nor the defaults speak of is None."""
        known = self._known
        layers = [known[app] for app in self._apps if app in known]
        return in_force([*layers, self._defaults], round(self._clock() * 1000))

    def wait(self, timeout_seconds: float) -> bool:
        """Wait until all that was there has been read, for a start that wants it; whether it has."""
        return self._caught_up.wait(timeout_seconds)

    def close(self) -> None:
        """End the thread; ``current`` goes on answering with what is known."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(_METADATA_SECONDS + 1)

    def _begin(self) -> None:
        """Everything that belongs to one process alone."""
        self._consumer: Consumer | None = None
        self._stop, self._caught_up = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="drift-aware-policies", daemon=True)
        with suppress(RuntimeError):  # no more threads to be had
            self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._consumer = consumer = Consumer({**self._config, "error_cb": _complain}, logger=_log)
                try:
                    self._follow(consumer)
                finally:
                    consumer.close()
            except Exception as error:  # noqa: BLE001 - nothing may reach the application
                _log.warning("policies not read, those known stay: %s", _said(error))
                self._stop.wait(_RETRY_SECONDS)

    def _follow(self, consumer: Consumer) -> None:
        topic = consumer.list_topics(POLICIES.name, _METADATA_SECONDS).topics[POLICIES.name]
        if topic.error is not None:
            raise KafkaException(topic.error)
        left = set(topic.partitions)
        consumer.assign([TopicPartition(POLICIES.name, number, BEGINNING) for number in left])
        while not self._stop.is_set():
            message = consumer.poll(_POLL_SECONDS)
            if message is None:
                continue
            if (error := message.error()) is None:
                self._take(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                left.discard(message.partition())
                if not left:
                    self._caught_up.set()
            else:
                raise KafkaException(error)

    def _take(self, message: Message) -> None:
        value = message.value()
        if value is None:
            gone = (message.key() or b"").decode(errors="replace")
            self._known = {app: policy for app, policy in self._known.items() if app != gone}
            return
        try:
            policy = _decoder.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            _log.warning("a policy cannot be read, the one known stays: %s", error)
            return
        held = self._known.get(policy.app)
        if policy.app in self._apps and (held is None or policy.version >= held.version):
            self._known = {**self._known, policy.app: policy}

    def _forked(self) -> None:
        # Nothing is left of the thread in the child, but its librdkafka handle must never be freed here:
        # freeing waits for threads that the child does not have.
        if self._consumer is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._consumer))
        self._begin()


def _complain(error: KafkaError) -> None:
    _log.info("policies: %s", error.str())


def _said(error: Exception) -> str:
    if isinstance(error, KafkaException) and isinstance(error.args[0], KafkaError):
        return error.args[0].str()
    return type(error).__name__


_clients: "WeakSet[PolicyClient]" = WeakSet()


def _forked() -> None:
    for client in list(_clients):
        if not client._stop.is_set():
            client._forked()


os.register_at_fork(after_in_child=_forked)
