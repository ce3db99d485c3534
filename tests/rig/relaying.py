"""A relay in a process that may be killed: ``python -m rig.relaying``, with JSON as its argument.

It makes events of numbers: of most one or two, of some none, and of a few more than one record holds.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence

from drift_aware.producers.outlet import Outlet
from drift_aware.producers.packing import Record
from drift_aware.producers.relay import Relay
from drift_aware.producers.relayed import Mark, State
from drift_aware.producers.work import Received, Work
from drift_aware.schema.consuming import Partition
from drift_aware.schema.events import Event, Feedback, Interaction
from rig.configuration import make_settings

NAME = "numbers"
BATCH_RECORDS = 20
NOON = 1_772_366_400_000


def events_of(number: int) -> list[Event]:
    """What becomes of a number."""
    if number % 5 == 0:
        return []
    if number % 50 == 7:
        return [Interaction(id=f"{number}-{each}", ts=NOON, session_id=f"s{number}") for each in range(120)]
    events: list[Event] = [Interaction(id=str(number), ts=NOON, session_id=f"s{number // 3}")]
    if number % 3 == 0:
        events.append(Feedback(interaction_id=str(number), ts=NOON, thumbs="up"))
    return events


class Numbers(Work):
    """Counts, for each partition, how many records it has seen: its state."""

    def __init__(self) -> None:
        self.seen: dict[Partition, int] = {}
        self.asked: list[int] = []
        self.ready = threading.Event()

    def assigned(self, states: Mapping[Partition, State]) -> None:
        self.seen = {home: state.get("seen", 0) for home, state in states.items()}
        self.ready.set()

    def outputs(self, records: Sequence[Received]) -> list[list[Event]]:
        self.asked += [int(record.value or b"0") for record in records]
        for record in records:
            self.seen[record.origin.home] += 1
        return [events_of(int(record.value or b"0")) for record in records]

    def state(self, home: Partition) -> State:
        return {"seen": self.seen[home]}


class Sleepy(Numbers):
    """Stands still, with all its threads, when it has made its second batch."""

    def outputs(self, records: Sequence[Received]) -> list[list[Event]]:
        made = super().outputs(records)
        if len(self.asked) > BATCH_RECORDS >= len(self.asked) - len(records):
            os.kill(os.getpid(), signal.SIGSTOP)
        return made


class Deadly(Outlet):
    """Dies in one of its sendings: when a part is there, or all, and nothing is committed."""

    left = 0
    part = 1.0

    def send(self, pairs: Sequence[tuple[Mark | None, Record]]) -> None:
        Deadly.left -= 1
        if Deadly.left != 0:
            super().send(pairs)
            return
        super().send(pairs[: round(len(pairs) * self.part)])
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Relay until killed, or until the sending ``die_at`` of which ``part`` arrives; or stand still once."""
    given = json.loads(sys.argv[1])
    Deadly.left, Deadly.part = given["die_at"], given["part"]
    sys.modules[Relay.__module__].Outlet = Deadly  # type: ignore[attr-defined]
    work = Sleepy() if given["sleeps"] else Numbers()
    settings = make_settings(given["bootstrap"])
    relay = Relay(settings, NAME, [given["topic"]], work, batch_records=BATCH_RECORDS)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    relay.run(stop)


if __name__ == "__main__":
    main()
