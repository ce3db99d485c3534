"""The benchmark of detection: how contenders are compared, what they are shown, and what is written of it."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from detection import trials
from hypothesis import given
from hypothesis import strategies as st
from river.drift import ADWIN

from detect import clinc, ours, peers, scalars
from detect.clinc import Pool, Replicate, Sample
from detect.journal import Journal
from detect.protocol import (
    Contender,
    Floats,
    Run,
    Stream,
    arl,
    delays,
    exposure,
    interval,
    median,
    run_of,
    tuned,
)
from detect.report import beyond_table, embeddings_table, scalars_table, variants_table
from detect.trials import BEYOND, OURS, SETTINGS, Row, Setting, Trial, embedding_contenders, play
from document import NoPlace, placed

DIM = 12
EACH = 300  # queries of an intent
PANE = 5
series = st.lists(st.floats(-5, 5).map(lambda value: round(value, 3)), min_size=1, max_size=30)


@pytest.fixture(scope="module")
def pool() -> Pool:
    """Six domains of two intents each, far apart, and a few queries from anywhere."""
    rng = np.random.default_rng(0)
    centres = np.concatenate([np.eye(DIM), np.zeros((1, DIM))])
    names = [(f"intent {place}", f"domain {place // 2}") for place in range(DIM)] + [("oos", "none")]
    queries = [clinc.Query(*names[place]) for place in range(len(names)) for _ in range(EACH)]
    vectors = np.repeat(centres, EACH, axis=0) + rng.normal(0, 0.15, (len(queries), DIM))
    return clinc.pool_of(queries, vectors)


@pytest.fixture(scope="module")
def shown(pool: Pool) -> Sample:
    return Replicate(pool, 1).reference(600)


def flat(size: int) -> Stream:
    return Stream(np.zeros(size, np.int64))


@given(series, st.floats(-6, 6))
def test_the_record_highs_tell_the_first_alarm_at_any_threshold(
    scores: list[float], threshold: float
) -> None:
    run = run_of(np.array(scores), flat(PANE * len(scores)), PANE)
    first = next((index for index, score in enumerate(scores) if score >= threshold), None)
    assert run.alarm(threshold) == (None if first is None else (first + 1) * PANE)


def test_a_run_without_an_alarm_is_watched_to_its_end() -> None:
    runs = [Run(100, None, [40], [1.0]), Run(100, None, [70], [0.5])]
    assert exposure(runs, 1.0) == (140, 1)
    assert arl(runs, 1.0) == 140
    assert arl(runs, 2.0) == math.inf


@given(st.lists(series, min_size=1, max_size=6), st.floats(1, 300))
def test_the_tuned_threshold_is_the_lowest_that_will_do(many: list[list[float]], wanted: float) -> None:
    runs = [run_of(np.array(scores), flat(PANE * len(scores)), PANE) for scores in many]
    threshold = tuned(runs, wanted)
    assert arl(runs, threshold) >= wanted
    lower = [high for run in runs for high in run.highs if high < threshold]
    assert all(arl(runs, high) < wanted for high in lower)


def test_the_run_length_of_exponential_alarms_is_found_again() -> None:
    lengths = np.random.default_rng(3).exponential(20_000, 4_000)
    runs = [
        Run(30_000, None, [int(at)] if at < 30_000 else [], [1.0] if at < 30_000 else []) for at in lengths
    ]
    assert arl(runs, 1.0) == pytest.approx(20_000, rel=0.05)


def test_an_alarm_before_the_change_drops_the_run_and_none_is_a_miss() -> None:
    runs = [Run(200, 50, [45], [1.0]), Run(200, 50, [60], [1.0]), Run(200, 50, [], [])]
    assert delays(runs, 1.0) == [10.0, math.inf]
    assert median([10.0, math.inf, 20.0]) == 20.0
    assert math.isnan(median([]))


def test_the_interval_draws_whole_replicates() -> None:
    assert interval([[1.0, 1.0], [1.0]], median) == (1.0, 1.0)
    low, high = interval([[1.0] * 50, [9.0] * 50], lambda values: sum(values) / len(values))
    assert (low, high) == (1.0, 9.0)


def test_no_query_is_both_in_the_reference_and_in_a_stream(pool: Pool) -> None:
    replicate, rng = Replicate(pool, 5), np.random.default_rng(0)
    seen = set(replicate.reference(500).places.tolist())
    streams = [replicate.calm(rng, 500), *(replicate.changing(rng, name) for name in clinc.SCENARIOS)]
    assert not seen & {event for stream in streams for event in stream.events.tolist()}


@pytest.mark.parametrize(("scenario", "share"), [("contam100", 1.0), ("contam30", 0.3), ("oos30", 0.3)])
def test_after_the_change_so_many_queries_are_new(pool: Pool, scenario: str, share: float) -> None:
    replicate = Replicate(pool, 5)
    stream = replicate.changing(np.random.default_rng(1), scenario)
    assert stream.change is not None
    known = set(intents(pool, replicate.reference(2_000).places))
    new = np.array([intent not in known for intent in intents(pool, stream.events)])
    assert not new[: stream.change].any()
    assert new[stream.change :].mean() == pytest.approx(share, abs=0.03)


def test_a_ramp_rises_over_two_thousand_events(pool: Pool) -> None:
    replicate = Replicate(pool, 6)
    stream = replicate.changing(np.random.default_rng(1), "ramp30")
    known = set(intents(pool, replicate.reference(2_000).places))
    new = np.array([intent not in known for intent in intents(pool, stream.events[stream.change :])])
    assert new[:1_000].mean() == pytest.approx(0.075, abs=0.03)
    assert new[2_000:].mean() == pytest.approx(0.3, abs=0.03)


def test_a_domain_that_doubles_has_two_fifths(pool: Pool) -> None:
    stream = Replicate(pool, 7).changing(np.random.default_rng(2), "mixdomain")
    domains = np.array(intents(pool, stream.events[stream.change :])) // 2
    shares = np.sort(np.bincount(domains) / len(domains))[::-1]
    assert shares[0] == pytest.approx(0.4, abs=0.03)
    assert shares[1] == pytest.approx(0.15, abs=0.03)


def test_a_conversation_has_five_queries_of_one_domain(pool: Pool) -> None:
    stream = Replicate(pool, 8).calm(np.random.default_rng(3), 5_000, conversations=True)
    assert stream.opens is not None
    assert stream.opens.mean() == pytest.approx(1 / clinc.TURNS, abs=0.005)


def test_missing_queries_say_where_they_belong(tmp_path: Path) -> None:
    with pytest.raises(clinc.NoData, match=r"put clinc150\.jsonl"):
        clinc.load(tmp_path)


def test_what_is_wide_is_reduced_and_stays_as_similar(pool: Pool) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 384))
    queries = [clinc.Query("a", "b")] * 39 + [clinc.Query("oos", "b")]
    plain, wide = clinc.pool_of(queries, vectors), clinc.pool_of(queries, vectors, wide=True)
    assert wide.rows.shape == plain.rows.shape
    assert np.abs(wide.unit @ wide.unit.T - plain.unit @ plain.unit.T).max() < 0.35


@pytest.mark.parametrize("contender", peers.peers(PANE), ids=lambda each: each.name)
def test_every_peer_scores_every_pane_and_sees_a_new_domain(
    contender: Contender[Sample], shown: Sample, pool: Pool
) -> None:
    stream = Replicate(pool, 1).changing(np.random.default_rng(4), "contam100")
    assert stream.change is not None
    scores = contender.prepare(shown).scores(stream)
    assert len(scores) == len(stream.events) // PANE
    calm = scores[: stream.change // PANE].max()
    assert scores[stream.change // PANE :].max() > calm


def test_the_centroid_of_a_window_is_that_of_its_events(shown: Sample, pool: Pool) -> None:
    stream = Replicate(pool, 1).calm(np.random.default_rng(5), 300)
    scores = peers.Centroid(100, PANE).prepare(shown).scores(stream)
    assert np.isneginf(scores[:19]).all()
    mean, then = pool.unit[stream.events[105:205]].mean(axis=0), pool.unit[shown.places].mean(axis=0)
    cosine = mean @ then / np.linalg.norm(mean) / np.linalg.norm(then)
    assert scores[40] == pytest.approx(1 - cosine, abs=1e-6)


def test_the_discrepancy_is_that_of_the_definition(shown: Sample, pool: Pool) -> None:
    window = 20
    runner = peers.MMD(window, PANE).prepare(shown)
    stream = Replicate(pool, 1).calm(np.random.default_rng(6), 700)
    order = np.random.default_rng(0).permutation(shown.places)
    then, now = (
        pool.unit[order[window:]].astype(float),
        pool.unit[stream.events[600 - window : 600]].astype(float),
    )
    width = np.median(np.maximum(0, 2 - 2 * then @ then.T))

    def kernel(a: Floats, b: Floats) -> Floats:
        return np.asarray(np.exp(-np.maximum(0, 2 - 2 * a @ b.T) / width))

    def within(rows: Floats) -> float:
        return float((kernel(rows, rows).sum() - len(rows)) / (len(rows) * (len(rows) - 1)))

    expected = within(then) + within(now) - 2 * kernel(then, now).mean()
    assert runner.scores(stream)[119] == pytest.approx(expected, abs=1e-5)


def test_a_score_of_adwin_is_an_alarm_at_that_confidence() -> None:
    rng = np.random.default_rng(7)
    values = np.concatenate([rng.normal(0, 1, 1_000), rng.normal(1, 1, 1_000)])
    seen = rng.normal(0, 1, 500)
    stream = Stream(np.arange(2_000))
    run = run_of(peers.AdwinRunner(values, seen, PANE).scores(stream), stream, PANE)
    fresh: Callable[..., Any] = ADWIN
    adwin, alarm = fresh(delta=peers.DEFAULT_DELTA), -1
    for place, value in enumerate([*seen, *values]):
        adwin.update(value)
        if adwin.drift_detected:
            alarm = place - len(seen)
            break
    assert alarm > 1_000
    assert run.alarm(-math.log10(peers.DEFAULT_DELTA)) == alarm // PANE * PANE + PANE


def test_ours_sees_a_new_domain_at_once_and_ends_there(shown: Sample, pool: Pool) -> None:
    stream = Replicate(pool, 1).changing(np.random.default_rng(8), "contam100")
    scores = ours.Embeddings("ours", 20_000, PANE).prepare(shown).scores(stream)
    run = run_of(scores, stream, PANE)
    assert stream.change is not None
    assert run.alarm(0.0) == len(scores) * PANE
    assert 0 < len(scores) * PANE - stream.change < 50


def test_of_conversations_only_what_opens_them_counts_but_the_clock_counts_all(pool: Pool) -> None:
    replicate = Replicate(pool, 1)
    shown, stream = replicate.reference(600, True), replicate.calm(np.random.default_rng(9), 500, True)
    runner = ours.Embeddings("ours", 20_000, PANE, "conversations").prepare(shown)
    panes = list(runner.panes(stream))
    assert stream.opens is not None
    assert sum(pane.summary.events for pane in panes) == stream.opens.sum()
    assert panes[-1].granted_ms == 500


def test_ratings_that_polarise_keep_their_mean_and_the_others_have_theirs() -> None:
    ratings = scalars.SCALARS["ratings"]
    means = {name: float(shares @ ratings.values) for name, shares in ratings.changes.items()}
    assert means == pytest.approx({"4.2 → 3.9": 3.9, "4.2 → 3.5": 3.5, "polarised": 4.2}, abs=1e-6)
    assert float(ratings.calm @ ratings.values) == pytest.approx(4.2)


def test_bins_of_ratings_are_counted_as_the_product_counts_stars() -> None:
    metric = scalars.SCALARS["ratings"].metric
    summary = ours.scalar_summary(metric, np.array([0, 4, 4]))
    assert metric.measure.value(summary) == pytest.approx(11 / 3)
    assert metric.measure.variance(summary) == pytest.approx(np.var([1, 5, 5]), abs=1e-4)
    assert summary.histograms == {"rating": {0: 1, 4: 2}}


def test_a_trial_of_scalars_finds_a_large_change_and_its_row_makes_a_table(tmp_path: Path) -> None:
    trial = Trial("toxicity", 1, quick=True)
    journal: Journal[Row] = Journal(tmp_path / "rows.jsonl", Row)
    (row,) = journal.played(play, [trial], jobs=1)
    with (tmp_path / "rows.jsonl").open("ab") as file:
        file.write(b'\n{"trial":{"exper')
    assert journal.kept() == [row]
    found = delays(row.runs[OURS]["0.5 → 2 %"], 0.0)
    assert all(math.isfinite(each) for each in found)
    table = scalars_table([row])
    assert "**Toxicity** (1 replicates)" in table
    assert "| PSI, window 500 | its own, 0.2 |" in table


def test_the_alarms_over_those_promised_are_counted_at_three_times() -> None:
    rows = [Row(Trial(BEYOND, seed), alarms={OURS: [50_000, 350_000]}, watched=400_000) for seed in (1, 2)]
    assert "| 100,000 | 2 | 2 | 2 | 1.00 [1.00, 1.00] |" in beyond_table(rows)
    assert "| 400,000 | 2 | 4 | 8 | 0.50 [0.50, 0.50] |" in beyond_table(rows)


def test_what_was_never_found_is_beyond_the_horizon() -> None:
    missed = Run(6_000, 1_000, [], [])
    runs = {name: [missed] for name in clinc.SCENARIOS} | {"calm": [Run(30_000, None, [], [])]}
    table = variants_table([Row(Trial("panes of 16", 1), {OURS: runs})])
    assert "| panes of 16 | 1 | > 10,000 | > 5,000, 100 % missed |" in table
    assert embeddings_table([]) == ""


def test_delays_that_few_runs_live_to_see_are_not_shown() -> None:
    early, late = Run(6_000, 1_000, [500], [1.0]), Run(6_000, 1_000, [1_200], [1.0])
    runs = {name: [early, early, late] for name in clinc.SCENARIOS} | {"calm": [Run(30_000, None, [], [])]}
    table = variants_table([Row(Trial("panes of 16", 1), {OURS: runs})])
    assert "| > 10,000 | false alarms first |" in table


def test_a_table_needs_its_place_in_the_document() -> None:
    with pytest.raises(NoPlace, match="table: costs"):
        placed("nothing", {"costs": "a table"})


def test_a_quick_run_is_a_small_part_of_a_whole_one() -> None:
    assert len(trials(None, 3, quick=True)) < len(trials(None, 3, quick=False))
    assert {trial.experiment for trial in trials("scalars", 1, quick=True)} == set(scalars.SCALARS)


def test_a_quick_run_has_fewer_peers() -> None:
    main = SETTINGS["embeddings"]
    assert len(embedding_contenders(main, quick=True)) < len(embedding_contenders(main))
    assert [each.name for each in embedding_contenders(Setting())] == [OURS]


def intents(pool: Pool, places: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[int]:
    """The intent of each query, by its number."""
    by_place = {int(place): intent for intent, each in enumerate(pool.places) for place in each}
    return [by_place[int(place)] for place in places]
