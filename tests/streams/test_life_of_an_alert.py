"""When an alert opens, changes and ends, and what it says."""

from collections.abc import Iterable
from itertools import pairwise

import pytest

from drift_aware.schema.alerts import Alert
from drift_aware.streams.alerting import Context, Track, follow
from drift_aware.streams.detectors import Adwin, Bound, Centroid, Confirmed, Pane, Plain, Shift
from drift_aware.streams.measures import ACCURACY, FEEDBACK, INTENT, REFUSAL_RATE, TOXICITY_RATE
from drift_aware.streams.summary import Summary
from rig_events import NOON

WINDOW = 5  # panes of a second


def pane(index: int, rate: float, baseline: float = 0.03) -> Pane:
    """A pane whose window of a thousand answers has that share of refusals."""
    window = refusals(rate)
    start = NOON + index * 1000
    steps = [(start - (WINDOW - 1) * 1000, window)]
    return Pane(start, start + 1000, window, steps, refusals(baseline))


def refusals(rate: float) -> Summary:
    return Summary({"events": 1000, "refusals_known": 1000, "refusals": round(rate * 1000)})


PLAIN = Bound(REFUSAL_RATE, "above", 0.05)
HERE = Context("all", "interaction", "b1")


def life(
    rates: Iterable[float], baseline: float = 0.03, track: Track | None = None
) -> list[tuple[int, Alert]]:
    """What becomes known, and in which pane."""
    detector, track = Plain(PLAIN, min_samples=100), track or Track()
    news = []
    for index, rate in enumerate(rates):
        now = pane(index, rate, baseline)
        alert = follow(track, HERE, detector, detector.update(now), now)
        if alert is not None:
            news.append((index, alert))
    return news


def steps(rates: Iterable[float], baseline: float = 0.03) -> list[tuple[int, str, str, int]]:
    return [(index, alert.status, alert.severity, alert.revision) for index, alert in life(rates, baseline)]


def test_it_opens_once_grows_worse_and_resolves_after_a_calm_window() -> None:
    assert steps([0.03, 0.06, 0.06, 0.09, 0.09, 0.12, 0.12, 0.06, 0.03, 0.03, 0.03, 0.03, 0.03, 0.03]) == [
        (1, "firing", "info", 1),
        (3, "firing", "warning", 2),
        (5, "firing", "critical", 3),
        (12, "resolved", "critical", 4),
    ]


def test_a_score_that_wobbles_around_its_threshold_is_one_alert() -> None:
    found = life([0.03, *([0.055, 0.049] * 20)])
    assert {(alert.id, alert.status, alert.severity) for _, alert in found} == {
        (found[0][1].id, "firing", "info")
    }


def test_calm_that_is_broken_off_does_not_resolve() -> None:
    assert steps([0.06, *([0.03] * 4), 0.047, *([0.03] * 4), 0.047]) == [(0, "firing", "info", 1)]


def test_a_second_drift_is_an_alert_of_its_own() -> None:
    found = life([0.03, 0.08, *([0.03] * 6), 0.08])
    assert [alert.status for _, alert in found] == ["firing", "resolved", "firing"]
    assert found[0][1].id == found[1][1].id != found[2][1].id
    assert found[2][1].revision == 1


def test_the_onset_is_where_the_rise_began() -> None:
    found = life([0.03, 0.03, 0.041, 0.045, 0.049, 0.06])
    assert found[0][1].onset == NOON + 4000


def test_a_baseline_beyond_the_limit_still_lets_an_alert_resolve() -> None:
    assert steps([0.08, *([0.045] * 6)], baseline=0.08) == [
        (0, "firing", "warning", 1),
        (5, "resolved", "warning", 2),
    ]


def test_the_id_depends_on_nothing_but_segment_metric_detector_and_onset() -> None:
    first, second = life([0.03, 0.06]), life([0.03, 0.13])
    assert first[0][1].id == second[0][1].id
    assert len(first[0][1].id) == 24


def test_no_data_is_neither_good_nor_bad() -> None:
    track = Track()
    life([0.08], track=track)
    detector = Plain(PLAIN, min_samples=100_000)
    for index in range(1, 20):
        now = pane(index, 0.0)
        assert follow(track, HERE, detector, detector.update(now), now) is None
    assert track.alert is not None
    assert track.alert.status == "firing"


def test_the_sentence_says_what_moved_from_what_to_what_since_when_on_how_many() -> None:
    ((_, opened), (_, resolved)) = life([0.08, *([0.03] * 6)])
    assert opened.summary == (
        "The refusal rate in all traffic is at 8.0 %, against 3.0 % in the baseline, "
        "since 2026-03-01 11:59:56 UTC, over 1,000 interactions."
    )
    assert resolved.summary == (
        "The refusal rate in all traffic is calm again at 3.0 %, against 3.0 % in the baseline; "
        "it had drifted since 2026-03-01 11:59:56 UTC."
    )


@pytest.mark.parametrize(
    ("detector", "kind", "suggests"),
    [
        (Confirmed(Bound(TOXICITY_RATE, "above", 0.02), 1e9), "behavior", ["safety", "notify"]),
        (Plain(Bound(ACCURACY, "below", 0.05, drop=True), 100), "accuracy", ["tune", "notify"]),
        (Shift(FEEDBACK, 1e9, hourly=False), "behavior", ["tune", "notify"]),
        (Centroid("embedding/query/m/8", 0.1), "embedding", ["reindex", "notify"]),
        (Adwin(ACCURACY), "accuracy", ["tune", "notify"]),
    ],
    ids=["toxicity", "accuracy", "feedback", "embedding", "adwin"],
)
def test_each_subject_names_its_kind_and_what_helps(
    detector: Confirmed | Plain | Shift | Centroid | Adwin, kind: str, suggests: list[str]
) -> None:
    assert detector.subject.kind == kind
    assert list(detector.subject.suggests) == suggests


def test_points_of_accuracy_have_their_own_severities() -> None:
    bound = Bound(ACCURACY, "below", 0.05, drop=True, steps=(2.0, 3.0))
    severities = []
    for correct in (870, 830, 780):
        window = Summary({"events": 1000, "graded": 1000, "correct": correct})
        baseline = Summary({"events": 1000, "graded": 1000, "correct": 940})
        now = Pane(NOON, NOON + 1000, window, [(NOON - 4000, window)], baseline)
        detector = Plain(bound, min_samples=100)
        alert = follow(Track(), HERE, detector, detector.update(now), now)
        assert alert is not None
        severities.append(alert.severity)
    assert severities == ["info", "warning", "critical"]


HOUR_MS = 3_600_000


def long_life(rates: Iterable[float]) -> list[tuple[int, Alert]]:
    """The same under the false-alarm budget, with panes of an hour and a thousand answers."""
    detector, track = Shift(REFUSAL_RATE, 30 * 24 * HOUR_MS, hourly=False), Track()
    baseline, news = refusals(0.03), list[tuple[int, Alert]]()
    steps: list[tuple[int, Summary]] = []
    for index, rate in enumerate(rates):
        start = NOON + index * HOUR_MS
        counts = refusals(rate)
        steps = [*steps, (start, counts)][-6:]
        now = Pane(start, start + HOUR_MS, counts, steps, baseline, granted_ms=float(index * HOUR_MS))
        alert = follow(track, HERE, detector, detector.update(now), now)
        if alert is not None:
            news.append((index, alert))
    return news


def test_a_drift_of_days_is_one_alert_that_ends_when_it_ends() -> None:
    found = long_life([*[0.03] * 120, *[0.06] * 100, *[0.03] * 120])
    opened = [index for index, alert in found if alert.revision == 1]
    resolved = [index for index, alert in found if alert.status == "resolved"]
    assert len({alert.id for _, alert in found}) == 1
    assert [120 <= index < 125 for index in opened] == [True]
    assert [220 < index < 244 for index in resolved] == [True]
    assert found[0][1].onset == NOON + 120 * HOUR_MS


def test_a_drift_that_comes_back_is_a_second_alert() -> None:
    found = long_life([*[0.03] * 120, *([0.09] * 60 + [0.03] * 120) * 2])
    assert [alert.status for _, alert in found if alert.revision == 1 or alert.status == "resolved"] == [
        "firing",
        "resolved",
    ] * 2


def test_an_open_alert_is_brought_up_to_date_ever_more_seldom() -> None:
    found = long_life([*[0.03] * 120, *[0.06] * 2000])
    at = [index for index, alert in found if alert.severity == found[-1][1].severity]
    gaps = [later - earlier for earlier, later in pairwise(at)]
    assert 2 <= len(gaps) <= 6
    assert gaps == sorted(gaps)


def test_an_alert_on_the_budget_says_how_sure_it_is_and_what_moved() -> None:
    (_, alert), *_ = long_life([*[0.03] * 120, *[0.06] * 30])
    assert alert.summary.startswith("The refusal rate in all traffic is at 6")
    assert "since 2026-03-06 12:00:00 UTC" in alert.summary
    assert "by chance alone less than once in" in alert.summary
    assert sum(part.share for part in alert.contributions) == pytest.approx(alert.score)
    assert alert.evidence is not None
    assert alert.evidence >= 30


def test_of_classes_the_sentence_says_how_far_their_mix_has_moved() -> None:
    def intents(events: int, *shares: float) -> Summary:
        places = {place: round(share * events) for place, share in enumerate(shares)}
        return Summary({"events": events, "intents": events}, histograms={"intent": places})

    calm, moved = intents(1000, 0.5, 0.3, 0.2), intents(1000, 0.2, 0.3, 0.5)
    detector, track, alerts = Shift(INTENT, 20_000, hourly=False), Track(), []
    for index in range(30):
        now = calm if index < 20 else moved
        start = NOON + index * 1000
        shown = Pane(start, start + 1000, now, [(start, now)], calm, granted_ms=index * 1000.0)
        alert = follow(track, HERE, detector, detector.update(shown), shown)
        alerts += [alert] if alert is not None else []
    assert alerts[0].summary.startswith(
        "The mix of intents in all traffic is at a stability index (PSI) of 0.55 from the baseline, since "
    )
