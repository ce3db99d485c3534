"""One run of a scenario: an application publishes, workers are looked after, and things go wrong."""

import signal
import time
from collections.abc import Callable

from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from chaos import poison
from chaos.comparison import counted
from chaos.poison import Place, Poison
from chaos.publication import Publication
from chaos.steps import Scenario, Step
from chaos.traffic import Traffic
from drift_aware.schema.events import Event
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import LARGEST_BYTES, MONITORS_TABLE, PANES_TABLE, SUMMARIES, changelog
from drift_aware.streams.reader import read_each
from drift_aware.streams.wire import Watermark, decode
from rig.kafka import KafkaServer
from rig.supervisor import UNSAFE, Supervisor

PER_SECOND = 3000
BROKER_AWAY_SECONDS = 20.0
# Publishing may go so far ahead of a step: two seconds, so that events flow when it comes.
_AHEAD = 2 * PER_SECOND
_SECONDS = 120.0
_ASK_SECONDS = 0.3
_SMALLEST_BYTES = 1


class Run:
    """Goes through the steps of a scenario.

    Args:
        settings: as the workers have them.
        server: the broker.
        supervisor: of the workers.
        traffic: what the application publishes.

    Attributes:
        published: all that was published, in the order in which it must be counted.
        buried: where dead letters must come from, and why.
    """

    def __init__(
        self, settings: Settings, server: KafkaServer, supervisor: Supervisor, traffic: Traffic
    ) -> None:
        self._settings, self._server, self._supervisor = settings, server, supervisor
        self._bootstrap, self._traffic = server.bootstrap, traffic
        self.published: list[Event | Poison] = list(traffic.events)
        self.buried: dict[Place, str] = {}
        self._poisoned = 0

    def go(self, scenario: Scenario) -> None:
        """Take every step, and publish everything."""
        for _ in range(scenario.workers):
            self._supervisor.join()
        with Publication(self._bootstrap, self._traffic.events, PER_SECOND) as publication:
            for step in scenario.steps:
                self._take(step, publication)
            publication.allow(len(self._traffic.events))
            self._wait(lambda: publication.at_rest, "everything is delivered")
            publication.send(self._traffic.closing)

    def _take(self, step: Step, publication: Publication) -> None:
        due = round(step.at * len(self._traffic.events))
        publication.allow(due + _AHEAD)
        if step.quiet:
            self._wait(lambda: publication.at_rest, "all is delivered that may be")
            due = publication.allowed
        enough = seldom(lambda: counted(self._settings) >= due)
        self._wait(enough, lambda: f"{due} events are counted: {counted(self._settings)} are")
        said = self._marks_said() if step.quiet else {}
        self._do(step, publication)
        if step.quiet:
            heard = seldom(lambda: all(count > said[each] for each, count in self._marks_said().items()))
            self._wait(heard, "every partition has said anew how far it is")

    def _do(self, step: Step, publication: Publication) -> None:
        match step.what:
            case "kill":
                self._supervisor[step.which].send(signal.SIGKILL)
            case "join":
                self._supervisor.join()
            case "leave":
                self._leave(step.which)
            case "freeze":
                self._freeze(step.which)
            case "broker":
                self._lose_broker()
            case "reject":
                self._reject(step.which, publication)
            case "poison":
                self._poison(publication)

    def _leave(self, which: int) -> None:
        self._supervisor.leave(which)
        if not len(self._supervisor):
            self._supervisor.join()

    def _freeze(self, which: int) -> None:
        frozen = self._supervisor[which]
        frozen.send(signal.SIGSTOP)
        self._let_pass(self._settings.kafka.session_timeout_seconds + 3)
        frozen.send(signal.SIGCONT)

    def _lose_broker(self) -> None:
        self._supervisor.broker_was_away = True
        self._server.kill()
        self._let_pass(BROKER_AWAY_SECONDS)
        self._server.start()

    def _reject(self, which: int, publication: Publication) -> None:
        """Until the worker has stopped, and the one after it too, which finds the same trouble."""
        table = (PANES_TABLE, MONITORS_TABLE)[which % 2]
        enough = self._supervisor.ends[UNSAFE] + 2
        self._limit(table, _SMALLEST_BYTES)
        try:
            publication.allow(publication.allowed + _AHEAD)
            self._wait(lambda: self._supervisor.ends[UNSAFE] >= enough, f"writes to {table} are rejected")
        finally:
            self._limit(table, LARGEST_BYTES)

    def _limit(self, table: str, most_bytes: int) -> None:
        admin = AdminClient({"bootstrap.servers": self._bootstrap, "log_level": 0})
        entry = ConfigEntry("max.message.bytes", str(most_bytes), incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, changelog(table).name, incremental_configs=[entry])
        for done in admin.incremental_alter_configs([resource]).values():
            done.result()

    def _poison(self, publication: Publication) -> None:
        self._wait(lambda: publication.at_rest, "what was published before is delivered")
        place = publication.allowed
        ts = self._traffic.events[place - 1].ts
        assert isinstance(ts, int)
        poisons = poison.every_kind(ts)
        self.buried |= poison.publish(self._bootstrap, poisons, self._settings.kafka.partitions)
        at = place + self._poisoned
        self.published[at:at] = poisons
        self._poisoned += len(poisons)

    def _marks_said(self) -> dict[int, int]:
        """How many watermarks each source partition has sent so far."""
        said = dict.fromkeys(range(self._settings.kafka.partitions), 0)
        for record in read_each(self._settings, SUMMARIES.name):
            message = decode(record.value or b"")
            if isinstance(message, Watermark):
                said[message.partition] += 1
        return said

    def _let_pass(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self._wait(lambda: time.monotonic() > end, f"{seconds:g} s are over")

    def _wait(self, condition: Callable[[], bool], what: str | Callable[[], str]) -> None:
        self._supervisor.wait(condition, _SECONDS, what)


def seldom(condition: Callable[[], bool]) -> Callable[[], bool]:
    """The same, asked a few times a second at most: the answer costs the machine something."""
    due = 0.0

    def asked() -> bool:
        nonlocal due
        if time.monotonic() < due:
            return False
        answer = condition()
        due = time.monotonic() + _ASK_SECONDS
        return answer

    return asked
