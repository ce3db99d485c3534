"""A segment from which nothing comes: off unless asked for, told once, taken back when it speaks again."""

import msgspec

from drift_aware.schema.alerts import Alert
from drift_aware.schema.topics import ALERTS, SOURCES, SUMMARIES
from drift_aware.streams.detect import Detect
from drift_aware.streams.panes import IDLE
from drift_aware.streams.stage import Input
from drift_aware.streams.summary import Packed
from drift_aware.streams.wire import Message, Snapshot, Watermark, encode
from rig.configuration import make_settings
from rig_events import NOON

MINUTE = 60_000


class Told:
    """A second stage that is told what a segment's source counted, and when."""

    def __init__(self, minutes: int | None = 10) -> None:
        settings = make_settings(
            kafka={"partitions": 1}, pane_seconds=60, allowed_lateness_seconds=0, no_data_minutes=minutes
        )
        self._detect = Detect(settings)
        self._detect.restore(0, [], {})
        self._rows: dict[bytes, bytes] = {}

    def pane(self, minute: int) -> None:
        """Events in one minute, and nothing later yet."""
        pane = NOON + minute * MINUTE
        self._fold(
            Snapshot("interaction", 0, "app=shop", pane, minute + 1, {"interaction": Packed({"events": 5})})
        )
        self.passed(minute + 1)

    def passed(self, minute: int) -> None:
        self._fold(Watermark(0, {"interaction": NOON + minute * MINUTE}))

    def idle(self) -> None:
        self._fold(Watermark(0, dict.fromkeys(SOURCES, IDLE)))

    def listen(self, minute: int) -> None:
        self._detect.listen(NOON + minute * MINUTE)

    def alerts(self) -> list[Alert]:
        changes = self._detect.changes(0)
        self._rows.update({key: value for key, value in changes.rows if value is not None})
        return [
            msgspec.json.decode(output.value, type=Alert)
            for output in changes.outputs
            if output.topic == ALERTS.name
        ]

    def restart(self) -> None:
        self._detect.forget()
        self._detect.restore(0, self._rows.items(), {})

    def _fold(self, message: Message) -> None:
        assert self._detect.fold(Input(SUMMARIES.name, 0, 0, encode(message), "")) == []


def test_silence_is_said_once_and_taken_back() -> None:
    told = Told()
    told.pane(0)
    told.idle()
    for minute in range(1, 30):
        told.listen(minute)
    (silent,) = told.alerts()
    assert (silent.status, silent.onset, silent.ts) == ("firing", NOON + MINUTE, NOON + 11 * MINUTE)
    assert "since 2026-03-01 12:01:00 UTC, for 10 minutes or more" in silent.summary
    told.pane(40)
    (back,) = told.alerts()
    assert (back.id, back.revision, back.status) == (silent.id, 2, "resolved")


def test_while_events_wait_to_be_counted_only_their_own_time_counts() -> None:
    told = Told()
    told.pane(0)
    told.listen(500)
    assert told.alerts() == []
    told.passed(12)
    told.listen(500)
    assert [alert.ts for alert in told.alerts()] == [NOON + 11 * MINUTE]


def test_a_silence_that_nobody_noticed_in_time_is_told_when_it_ends() -> None:
    told, prompt = Told(), Told()
    told.pane(0)
    told.pane(40)
    prompt.pane(0)
    prompt.passed(20)
    prompt.listen(0)
    noticed = prompt.alerts()
    prompt.pane(40)
    assert told.alerts() == [*noticed, *prompt.alerts()]
    assert [alert.revision for alert in told.alerts()] == []


def test_a_restart_tells_it_again_under_the_same_id() -> None:
    told = Told()
    told.pane(0)
    told.idle()
    told.listen(20)
    (silent,) = told.alerts()
    told.restart()
    assert told.alerts() == [silent]
    told.listen(25)
    assert told.alerts() == []


def test_it_is_off_unless_asked_for_and_nothing_is_expected_of_who_never_spoke() -> None:
    told = Told(minutes=None)
    told.pane(0)
    told.idle()
    told.listen(10_000)
    assert told.alerts() == []
    empty = Told()
    empty.idle()
    empty.listen(10_000)
    assert empty.alerts() == []
