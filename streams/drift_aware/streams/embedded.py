"""A Kafka broker without a Kafka, for ``drift-aware demo`` and tests.

It is librdkafka's mock cluster in a child process. It keeps the last 5 MB or 100,000 batches of each
partition in memory, compacts nothing and forgets all when it stops; it creates no topics on request, so
every topic is named at the start. Stop the clients before the broker: a consumer's ``close`` waits for a
broker's answer.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from drift_aware.schema.errors import Unreachable
from drift_aware.schema.topics import TOPICS
from drift_aware.streams import mock_cluster

_STOP_SECONDS = 5.0


class EmbeddedBrokerFailed(Unreachable):
    """The in-process broker did not start."""


def every_topic(partitions: int) -> dict[str, int]:
    """All topics of this project, each with so many partitions."""
    return {topic.name: partitions for topic in TOPICS}


class EmbeddedBroker:
    """A broker for as long as the ``with`` block runs, and no longer than this process lives.

    Args:
        topics: name to number of partitions.
    """

    def __init__(self, topics: Mapping[str, int]) -> None:
        self._topics = dict(topics)
        self._process: subprocess.Popen[bytes] | None = None
        self._bootstrap = ""

    @property
    def bootstrap(self) -> str:
        """The address for ``bootstrap.servers``; empty before the start."""
        return self._bootstrap

    @property
    def pid(self) -> int | None:
        """The process the broker runs in, or None while it does not run."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start, and return when the broker answers: about 0.1 s.

        Raises:
            EmbeddedBrokerFailed: it did not start; the message says why.
        """
        self._process = subprocess.Popen(
            # -P keeps this folder, whose modules have everyday names, out of the child's import path.
            [sys.executable, "-P", mock_cluster.__file__, json.dumps(self._topics)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # In a session of its own, a Ctrl-C at the terminal reaches the clients and leaves the broker up.
            start_new_session=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"error": "its process ended before it said anything"}
        if "error" in answer:
            self.stop()
            raise EmbeddedBrokerFailed(f"the embedded broker did not start: {answer['error']}")
        self._bootstrap = answer["bootstrap"]

    def stop(self) -> None:
        """Stop; what was on it is gone. A second call does nothing."""
        if self._process is None:
            return
        process, self._process = self._process, None
        try:
            process.communicate(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
