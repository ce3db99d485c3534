"""Publishing to Kafka from an application that must not notice."""

import atexit
import ctypes
import logging
import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote
from weakref import WeakSet

from drift_aware.producers import clients
from drift_aware.producers.drafts import Completion, Draft
from drift_aware.producers.interface import EventPublisher
from drift_aware.producers.sender import Sender
from drift_aware.producers.tally import Reason, Stats, Tally
from drift_aware.schema.redaction import Redaction

_LEAST_LINGER_MS = 1.0  # a thread that never waits takes the interpreter from the application
_FLUSH_STEP_SECONDS = 0.01
_EXIT_SECONDS = 2.0  # how long the end of the interpreter may wait for Kafka
_JOIN_SECONDS = 1.5  # beyond the deadline of close: one question for metadata may be under way

_log = logging.getLogger("drift_aware.producers")


class Publisher(EventPublisher):
    """Publishes events from memory through a thread of its own; make one per process and keep it.

    A call appends to a queue and returns. The thread packs events by partition, sends them, and counts what
    becomes of them. Nothing here blocks or raises, whether Kafka is down, the address wrong, the topic
    missing or forbidden, an argument of the wrong type, the queue full, the publisher closed or the process
    forked: what cannot be delivered is counted by reason in ``dropped`` and logged under
    ``drift_aware.producers``, one line a second at most. When the interpreter ends, what is left has two
    seconds to leave; a ``multiprocessing`` child does not run such endings, so call ``flush`` in it.

    Args:
        bootstrap_servers: ``host:port``, or several with commas.
        app: fills in ``app`` where an event has none; so do ``model`` (the chat model: not for
            embeddings), ``prompt_version`` and ``tenant``.
        model: see ``app``.
        prompt_version: see ``app``.
        tenant: see ``app``.
        client: more settings of librdkafka, for instance TLS and SASL; they win over the built-in ones.
            Where the settings of the commands are at hand, ``load(file).kafka.client()`` has them.
        max_text_chars: longer texts lose their end, and are counted in ``stats.clipped``.
        max_queued_events: events that may wait, on the way to the broker included; more are dropped.
        linger_ms: how long an event waits for others to travel with, 1 at least.
        redact: what becomes of personal data in the texts; by default they travel as they are. It runs in
            the publisher's thread, before an event is packed and handed to librdkafka.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        app: str | None = None,
        model: str | None = None,
        prompt_version: str | None = None,
        tenant: str | None = None,
        client: Mapping[str, Any] | None = None,
        max_text_chars: int = 20_000,
        max_queued_events: int = 10_000,
        linger_ms: float = 50.0,
        redact: Redaction | None = None,
    ) -> None:
        self._client = {**(client or {}), "bootstrap.servers": bootstrap_servers}
        defaults = {"app": app, "model": model, "prompt_version": prompt_version, "tenant": tenant}
        self._completion = Completion(defaults, max_text_chars, redact)
        self._source = f"/drift-aware/publisher/{quote(str(app or ''))}"
        self._max_queued_events = max_queued_events
        self._linger_seconds = max(linger_ms, _LEAST_LINGER_MS) / 1000
        self._closed = False
        self._begin()
        _publishers.add(self)

    def _begin(self) -> None:
        """Everything that belongs to one process alone."""
        self._tally = tally = Tally(_log)
        self._sender = Sender(
            lambda compression: clients.connect(
                self._client, compression, lambda error: tally.note(error.str())
            ),
            self._completion,
            tally,
            self._source,
            self._linger_seconds,
        )
        self._queue = self._sender.queue
        self._thread: threading.Thread | None = None
        self._starting = threading.RLock()

    @property
    def stats(self) -> Stats:
        """Counts of what became of the events."""
        return self._tally.stats(self._sender.queued())

    @property
    def queued(self) -> int:
        """Events neither delivered nor dropped yet."""
        return self._sender.queued()

    def flush(self, timeout_seconds: float = 10.0) -> int:
        """Wait until all is delivered or dropped, or the time is over; how many events are left."""
        deadline = time.monotonic() + timeout_seconds
        while (left := self._sender.queued()) and time.monotonic() < deadline:
            self._sender.wake()
            time.sleep(_FLUSH_STEP_SECONDS)
        return left

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Send for so long, count what is left as ``unsent``, end the thread; a second call does nothing."""
        self._closed = True
        with self._starting:
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            self._sender.stop(time.monotonic() + timeout_seconds)
            thread.join(timeout_seconds + _JOIN_SECONDS)

    def _take(self, draft: Draft) -> None:
        try:
            if self._closed:
                self._drop("closed", "")
                self._tally.report()
            elif len(self._queue) + self._sender.waiting >= self._max_queued_events:
                self._tally.overflow()
            else:
                self._queue.append(draft)
                if self._thread is None:
                    self._start()
        except Exception as error:  # noqa: BLE001 - nothing may reach the application
            self._drop("internal", repr(error))

    def _drop(self, reason: Reason, why: str) -> None:
        self._tally.drop(reason, why=why)
        if self._thread is None and not self._closed:
            with suppress(RuntimeError):  # no more threads to be had
                self._start()  # which writes the log

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                thread = threading.Thread(target=self._sender.run, name="drift-aware-publisher", daemon=True)
                thread.start()
                self._thread = thread

    def _forked(self) -> None:
        # Of the parent's thread nothing is left in the child, but its librdkafka handle must never be freed
        # here: freeing waits for threads that the child does not have.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._sender))
        self._begin()


_publishers: "WeakSet[Publisher]" = WeakSet()


def _forked() -> None:
    for publisher in list(_publishers):
        publisher._forked()


def _exiting() -> None:
    deadline = time.monotonic() + _EXIT_SECONDS
    publishers = list(_publishers)
    for publisher in publishers:  # all at once, so that ten take no longer than one
        publisher._sender.stop(deadline)
    for publisher in publishers:
        publisher.close(max(0.0, deadline - time.monotonic()))


os.register_at_fork(after_in_child=_forked)
atexit.register(_exiting)
