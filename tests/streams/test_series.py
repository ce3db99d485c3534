"""The series of segments: bounded in number, gone when the segment is, with the scores of the API."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from drift_aware.schema.alerts import Alert, Reading, Readings
from drift_aware.schema.events import Kind
from drift_aware.schema.metrics.metric import make_registry
from drift_aware.schema.topics import ALERTS, SUMMARIES
from drift_aware.streams.comparison import compare
from drift_aware.streams.detect import Detect
from drift_aware.streams.metrics import WorkerMetrics
from drift_aware.streams.panes import IDLE
from drift_aware.streams.series import COMPARED_AT_ONCE, SegmentSeries, Windows
from drift_aware.streams.stage import Input
from drift_aware.streams.summary import Summary
from drift_aware.streams.wire import Message, Snapshot, Watermark, encode
from rig.configuration import make_settings
from rig_events import NOON

MINUTE = 60_000
LIMIT = Reading(
    metric="refusal_rate", detector="limit", state="ok", events=200, current=0.03, score=0.2, threshold=1.0
)
DROP = Reading(
    metric="accuracy",
    detector="drop",
    state="ok",
    events=150,
    current=0.81,
    baseline_value=0.9,
    score=0.4,
    threshold=1.0,
)


class Shown:
    """The series of a worker with room for so many segments."""

    def __init__(self, most: int = 2, window_seconds: int = 600) -> None:
        self.now = 0.0
        self.registry = make_registry()
        settings = make_settings(prometheus_segments=most, window_seconds=window_seconds)
        self.series = SegmentSeries(self.registry, settings, clock=lambda: self.now)

    def closed(self, segment: str, *readings: Reading) -> None:
        self.series.closed(
            Readings(segment=segment, start=NOON, end=NOON + MINUTE, totals={}, readings=list(readings))
        )

    def value(self, name: str, segment: str = "all", **labels: str) -> float | None:
        return self.registry.get_sample_value(name, {"segment": segment} | labels)

    def segments(self) -> set[str]:
        return segments(self.registry)


def segments(registry: CollectorRegistry) -> set[str]:
    """Those that any series names."""
    samples = [sample for family in registry.collect() for sample in family.samples]
    return {sample.labels["segment"] for sample in samples if "segment" in sample.labels}


def interactions(refusals: int, of: int = 1000) -> Summary:
    return Summary({"events": of, "refusals_known": of, "refusals": refusals})


def evaluations(correct: int, of: int = 1000) -> Summary:
    return Summary({"events": of, "graded": of, "correct": correct})


def test_a_reading_is_shown_under_our_name_and_under_those_that_people_know() -> None:
    shown = Shown()
    shown.closed("all", LIMIT, DROP)
    labels = {"metric": "refusal_rate", "detector": "limit"}
    assert shown.value("drift_aware_score", **labels) == 0.2
    assert shown.value("drift_aware_threshold", **labels) == 1.0
    assert shown.value("drift_aware_firing", **labels) == 0.0
    assert shown.value("drift_aware_value", metric="refusal_rate") == 0.03
    assert shown.value("drift_aware_window_events", metric="refusal_rate") == 200
    assert shown.value("model_refusal_rate") == shown.value("refusal_rate") == 0.03
    assert shown.value("model_accuracy") == shown.value("recent_accuracy") == 0.81
    assert shown.value("baseline_accuracy") == 0.9
    assert shown.value("drift_aware_pane_end_timestamp_seconds") == (NOON + MINUTE) / 1000


def test_the_first_segments_have_series_and_all_always_has() -> None:
    shown = Shown(most=2)
    for name in ("app=a", "app=b", "app=c", "all", "app=a"):
        shown.closed(name, LIMIT)
    assert shown.segments() == {"app=a", "app=b", "all"}
    assert shown.series.unshown == 1


@given(names=st.lists(st.sampled_from(["all", *(f"app={n}" for n in range(9))]), max_size=40))
def test_there_are_never_more_segments_than_the_setting_says(names: list[str]) -> None:
    shown = Shown(most=3)
    for name in names:
        shown.closed(name, LIMIT)
        assert len(shown.segments() - {"all"}) <= 3
    assert shown.series.unshown == len(set(names)) - len(shown.segments())


def test_a_segment_that_falls_silent_makes_room_for_another() -> None:
    shown = Shown(most=1, window_seconds=600)
    shown.closed("app=a", LIMIT)
    shown.now = 1000
    shown.closed("app=b", LIMIT)
    shown.series.drop_silent()
    assert shown.segments() == {"app=a"}
    shown.now = 1300
    shown.series.drop_silent()
    assert shown.segments() == set()
    shown.closed("app=b", LIMIT)
    assert shown.segments() == {"app=b"}


def test_when_the_partitions_go_no_series_stays_behind() -> None:
    shown = Shown()
    shown.closed("all", LIMIT)
    shown.series.drop_all()
    assert shown.segments() == set()
    assert shown.series.unshown == 0
    shown.series.compare(lambda _: ({}, {}))
    assert shown.segments() == set()


def test_the_scores_are_those_of_the_comparison_that_the_api_answers_with() -> None:
    shown = Shown()
    now = {"interaction": interactions(90), "evaluation": evaluations(780)}
    then = {"interaction": interactions(20), "evaluation": evaluations(900)}
    shown.closed("all", LIMIT)
    shown.series.compare(lambda _: (now, then))
    wanted = compare(now, then, make_settings().limits)
    assert wanted.behavior_score
    assert wanted.accuracy_score
    assert shown.value("drift_behavior_score") == wanted.behavior_score
    assert shown.value("drift_accuracy_score") == wanted.accuracy_score
    assert shown.value("drift_overall_score") == wanted.overall_score
    assert shown.value("drift_embedding_score") is None


def test_a_score_that_can_no_longer_be_told_goes() -> None:
    shown = Shown()
    few: Windows = {"interaction": interactions(1, of=5)}, {"interaction": interactions(20)}
    many: Windows = {"interaction": interactions(20)}, {"interaction": interactions(20)}
    for windows, there in ((many, True), (few, False), (many, True)):
        shown.closed("all", LIMIT)
        shown.series.compare(lambda _, windows=windows: windows)  # type: ignore[misc]
        assert (shown.value("drift_behavior_score") is not None) == there


def test_comparing_many_segments_is_spread_over_several_looks() -> None:
    shown = Shown(most=100)
    asked: list[str] = []

    def windows(segment: str) -> Windows:
        asked.append(segment)
        return {}, {}

    for number in range(COMPARED_AT_ONCE + 5):
        shown.closed(f"app={number}", LIMIT)
    shown.series.compare(windows)
    assert len(asked) == COMPARED_AT_ONCE
    shown.series.compare(windows)
    shown.series.compare(windows)
    assert len(asked) == len(set(asked)) == COMPARED_AT_ONCE + 5


class Stage:
    """DETECT with metrics, told what one source counted."""

    def __init__(self) -> None:
        settings = make_settings(
            kafka={"partitions": 1},
            pane_seconds=60,
            allowed_lateness_seconds=0,
            false_alarms="1 per 1d",
            baseline={"events": 3000},
        )
        self.registry = make_registry()
        self.metrics = WorkerMetrics(self.registry, settings)
        self.detect = Detect(settings, self.metrics)
        self.detect.restore(0, [], {})
        self.rows: dict[bytes, bytes] = {}
        self.minute = 0

    def pass_minutes(self, minutes: int, refusals: int, of: int = 100) -> list[Alert]:
        raised = []
        for _ in range(minutes):
            pane = NOON + self.minute * MINUTE
            summary = Summary({"events": of, "refusals_known": of, "refusals": refusals})
            self._fold(Snapshot("interaction", 0, "all", pane, self.minute, {"interaction": summary.pack()}))
            self.minute += 1
            self._fold(Watermark(0, REST | {"interaction": NOON + self.minute * MINUTE}))
            changes = self.detect.changes(0)
            self.rows.update({key: value for key, value in changes.rows if value is not None})
            raised += [
                msgspec.json.decode(output.value, type=Alert)
                for output in changes.outputs
                if output.topic == ALERTS.name
            ]
        return raised

    def restart(self) -> None:
        self.detect.forget()
        self.detect.restore(0, self.rows.items(), {})

    def opened(self) -> float:
        return sum(
            sample.value
            for family in self.registry.collect()
            for sample in family.samples
            if sample.name == "drift_aware_alerts_total"
        )

    def _fold(self, message: Message) -> None:
        assert self.detect.fold(Input(SUMMARIES.name, 0, 0, encode(message), "")) == []


REST: dict[Kind, int] = {"feedback": IDLE, "embedding": IDLE, "evaluation": IDLE}


def test_an_alert_is_counted_once_whatever_becomes_of_it() -> None:
    stage = Stage()
    raised = stage.pass_minutes(40, refusals=2) + stage.pass_minutes(60, refusals=30)
    ids = {alert.id for alert in raised if alert.revision == 1}
    assert ids
    assert stage.opened() == len(ids)
    stage.restart()
    raised += stage.pass_minutes(30, refusals=30)
    assert stage.opened() == len({alert.id for alert in raised if alert.revision == 1})


def test_the_windows_of_detect_are_those_that_are_compared() -> None:
    stage = Stage()
    stage.pass_minutes(20, refusals=2)
    assert stage.detect.windows("all") == ({}, {})  # the baseline grows
    stage.pass_minutes(40, refusals=2)
    stage.pass_minutes(10, refusals=30)
    now, then = stage.detect.windows("all")
    assert then["interaction"].events >= 3000
    assert now["interaction"].counts["refusals"] >= 8 * 30
    stage.metrics.series.compare(stage.detect.windows)
    score = stage.registry.get_sample_value("drift_behavior_score", {"segment": "all"})
    assert score == 1.0
    assert stage.detect.windows("app=unheard-of") == ({}, {})


def test_partitions_that_go_take_their_series_with_them() -> None:
    stage = Stage()
    stage.pass_minutes(5, refusals=2)
    assert segments(stage.registry) == {"all"}
    stage.restart()
    assert segments(stage.registry) == set()
    stage.pass_minutes(1, refusals=2)
    assert segments(stage.registry) == {"all"}


def test_counters_with_known_labels_begin_at_nought() -> None:
    registry = Stage().registry
    labels = {"topic": "drift.interactions.v1", "reason": "not_json"}
    assert registry.get_sample_value("drift_aware_dead_letters_total", labels) == 0
    labels = {"kind": "behavior", "severity": "critical", "paging": "true"}
    assert registry.get_sample_value("drift_aware_alerts_total", labels) == 0
    assert registry.get_sample_value("drift_aware_false_alarm_budget_seconds") == 86_400
