"""The sums of days are told whole, whatever dies in between, and the state they take stays small."""

from collections import defaultdict
from collections.abc import Sequence
from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift_aware.schema.alerts import DaySums
from drift_aware.schema.events import Kind
from drift_aware.schema.topics import HISTORY, SOURCES, SUMMARIES
from drift_aware.streams.days import DAY_MS
from drift_aware.streams.detect import Detect
from drift_aware.streams.history import KEEP_SENT_SECONDS, TELL_MS, History
from drift_aware.streams.panes import IDLE
from drift_aware.streams.summary import AGAIN, Example, Packed, Summary, again, merge, unpack
from drift_aware.streams.wire import Snapshot, Watermark, encode
from rig.configuration import make_settings
from rig.rim import Rim, Topics
from rig_events import NOON

HOUR_MS = 3_600_000
DAYS = 6
PANES_A_DAY = 4
BEGIN = NOON - NOON % DAY_MS
SETTINGS = make_settings(
    "nowhere:1",
    kafka={"partitions": 1},
    pane_seconds=3600,
    allowed_lateness_seconds=0,
    detectors=[f"-{name}" for name in ("shift", "limit", "drop", "adwin", "classic", "creep")],
)
FAMILIES: dict[Kind, str] = {"feedback": "feedback", "embedding": "embedding/query/m/2"}

Key = tuple[str, str, int]


def pane_of(kind: Kind, number: int) -> dict[str, Packed]:
    """A pane's events, some of them no first ones of a conversation."""
    family = FAMILIES[kind]
    events, repeated = 3 + number % 5, number % 3
    whole = Summary({"events": events, "ratings": events}, histograms={"rating": {number % 5: events}})
    whole.examples = {Example(number, f"i{number}", "words", -1, -1)}
    packed = {family: whole.pack()}
    if repeated:
        packed[again(family)] = Summary({"events": repeated, "ratings": repeated}).pack()
    return packed


def speaking(number: int) -> list[tuple[str, Kind]]:
    """Who has a pane: at first two segments with two kinds, in the last days one with one."""
    if number >= 3 * PANES_A_DAY:
        return [("all", "feedback")]
    return [(segment, kind) for segment in ("all", "app=shop") for kind in FAMILIES]


def summaries() -> list[bytes]:
    """The snapshots of some days, and the watermarks between them."""
    messages: list[Snapshot | Watermark] = []
    for number in range(DAYS * PANES_A_DAY):
        start = BEGIN + number * DAY_MS // PANES_A_DAY
        messages += [
            Snapshot(kind, 0, segment, start, 1, pane_of(kind, number)) for segment, kind in speaking(number)
        ]
        messages.append(Watermark(0, dict.fromkeys(SOURCES, start + HOUR_MS)))
    messages.append(Watermark(0, dict.fromkeys(SOURCES, IDLE)))
    return [encode(message) for message in messages]


def expected() -> dict[Key, Summary]:
    """The same put together by hand."""
    found: defaultdict[Key, list[Summary]] = defaultdict(list)
    for number in range(DAYS * PANES_A_DAY):
        day = BEGIN + number // PANES_A_DAY * DAY_MS
        for segment, kind in speaking(number):
            family, packed = FAMILIES[kind], pane_of(kind, number)
            pane = unpack(packed[family])
            found[segment, family, day].append(Summary(pane.counts, histograms=pane.histograms))
            if again(family) in packed:
                repeated = packed[again(family)].counts["events"]
                found[segment, family, day].append(Summary({AGAIN: repeated}))
    return {key: merge(each) for key, each in found.items()}


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def rim(clock: Clock | None = None) -> Rim:
    topics = Topics()
    for message in summaries():
        topics.append(SUMMARIES.name, 0, message)
    return Rim(Detect(SETTINGS, clock=clock or Clock()), topics, [(SUMMARIES.name, 0)])


def told(rim: Rim) -> list[DaySums]:
    return [
        msgspec.json.decode(output.value, type=DaySums) for output in rim.sent if output.topic == HISTORY.name
    ]


def kept(messages: Sequence[DaySums]) -> dict[Key, DaySums]:
    """What a consumer has that keeps the latest of each day."""
    latest: dict[Key, DaySums] = {}
    for sums in messages:
        key = sums.segment, sums.family, sums.day
        if key not in latest or latest[key].until < sums.until:
            latest[key] = sums
    return latest


@cache
def clean() -> dict[Key, DaySums]:
    once = rim()
    once.fold_all()
    once.write()
    return kept(told(once))


def test_every_event_of_every_pane_is_in_its_day() -> None:
    found = {key: unpack(msgspec.msgpack.decode(sums.sums, type=Packed)) for key, sums in clean().items()}
    assert found == expected()
    assert all(sums.events == found[key].events for key, sums in clean().items())


def test_what_is_told_holds_no_words_and_no_ids() -> None:
    assert all(b"words" not in sums.sums and b"i1" not in sums.sums for sums in clean().values())


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.integers(1, 12), st.sampled_from(["write", "die"]), st.floats(0, 1)), max_size=12)
)
def test_whatever_dies_with_what_it_had_sent_every_day_is_told_whole(
    life: list[tuple[int, str, float]],
) -> None:
    often = rim()
    for records, happens, survives in life:
        often.fold(0, records)
        often.write(lose=happens == "die")
        if happens == "die":
            often.crash(survives)
    often.fold_all()
    often.write(lose=True)
    often.crash()
    often.write()
    assert kept(told(often)) == clean()


def test_the_same_day_at_the_same_time_always_has_the_same_sums() -> None:
    messages = []
    for begin in range(1, 9):
        often = rim()
        while often.behind((SUMMARIES.name, 0)):
            often.fold(0, begin)
            often.write()
            often.crash()
        messages += told(often)
    assert len({(each.segment, each.family, each.day, each.until) for each in messages}) == len(
        {msgspec.json.encode(each) for each in messages}
    )


def test_a_day_that_goes_on_is_told_once_in_a_minute_of_event_time() -> None:
    topics = Topics()
    seconds = 300
    for number in range(seconds):
        start = BEGIN + number * 1000
        snapshot = Snapshot("feedback", 0, "all", start, 1, pane_of("feedback", number))
        topics.append(SUMMARIES.name, 0, encode(snapshot))
        topics.append(SUMMARIES.name, 0, encode(Watermark(0, dict.fromkeys(SOURCES, start + 1000))))
    fine = SETTINGS.model_copy(update={"pane_seconds": 1})
    once = Rim(Detect(fine), topics, [(SUMMARIES.name, 0)])
    for _ in range(2 * seconds):
        once.fold(0)
        once.write()
    # The first watermark ever is in a new minute as well.
    assert len(told(once)) == seconds * 1000 // TELL_MS + 1


def test_the_row_of_a_day_that_is_over_goes_when_the_broker_must_have_it() -> None:
    clock = Clock()
    once = rim(clock)
    half = 5 * DAYS * PANES_A_DAY // 2
    once.fold(0, half)
    once.write()
    assert any(b"|history|" in key for key in once.rows())
    clock.now += KEEP_SENT_SECONDS
    once.fold_all()
    once.write()
    days = {int(key.split(b"|")[3]) * DAY_MS for key in once.rows() if b"|history|" in key}
    assert days
    assert min(days) > BEGIN + DAY_MS


@pytest.mark.parametrize("kind", list(FAMILIES))
def test_a_pane_stays_as_it_was(kind: Kind) -> None:
    pane = {name: unpack(packed) for name, packed in pane_of(kind, 7).items()}
    before = {name: summary.pack() for name, summary in pane.items()}
    history = History()
    history.add(0, 10, pane)
    history.add(10, 20, pane)
    assert {name: summary.pack() for name, summary in pane.items()} == before
