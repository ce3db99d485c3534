"""The vocabulary of metrics: names as Prometheus wants them, one page about them, registries made of them."""

import re
from pathlib import Path

import pytest
from prometheus_client.metrics import MetricWrapperBase

from drift_aware.schema.metrics import VOCABULARY, names
from drift_aware.schema.metrics.metric import Instruments, Metric, count, level, make_registry, spread
from drift_aware.schema.metrics.page import page

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
ALL = [metric for each in VOCABULARY for metric in each.declared()]
# What dashboards in the field ask for; these names must not change.
KNOWN = {
    "drift_embedding_score",
    "drift_behavior_score",
    "drift_accuracy_score",
    "drift_overall_score",
    "model_accuracy",
    "model_refusal_rate",
    "model_toxicity_rate",
    "retrain_events_total",
    "reindex_events_total",
    "api_cost_usd_total",
    "embedding_drift_score",
    "refusal_rate",
    "toxicity_rate",
    "recent_accuracy",
    "baseline_accuracy",
    "total_cost_usd",
}


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text() == page(), "run: make metrics"


def test_the_names_that_people_know_are_there() -> None:
    assert {metric.name for metric in ALL} >= KNOWN


def test_no_name_is_used_twice() -> None:
    assert len({metric.name for metric in ALL}) == len(ALL)


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_a_name_has_our_prefix_or_is_one_that_people_know(metric: Metric[MetricWrapperBase]) -> None:
    assert metric.name.startswith("drift_aware_") != (metric.name in KNOWN)
    assert re.fullmatch(r"[a-z][a-z0-9_]*", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert not re.search(r"_(ms|milliseconds|minutes|kb|percent)(_|$)", metric.name)


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_a_metric_says_what_it_is_its_unit_and_what_it_is_good_for(
    metric: Metric[MetricWrapperBase],
) -> None:
    assert metric.about.endswith(".")
    assert metric.use[-1] in ".?"
    assert metric.unit
    # Ids and texts have no end of values.
    assert not {"id", "alert", "session", "user", "path", "message"} & set(metric.labels)


@pytest.mark.parametrize("vocabulary", VOCABULARY)
def test_a_registry_shows_what_was_declared_and_no_more(vocabulary: type[Instruments]) -> None:
    registry = make_registry()
    vocabulary(registry)
    shown = {f"{each.name}_total" if each.type == "counter" else each.name for each in registry.collect()}
    assert shown == {metric.name for metric in vocabulary.declared()}


def test_every_role_has_metrics() -> None:
    assert all(names(role) for role in ("worker", "persist", "act", "serve"))


def test_each_kind_is_read_from_an_object_as_the_instrument_it_declares() -> None:
    class Kettle(Instruments):
        boiled = count("kettle_boiled_total", "How often it boiled.", unit="times", use="Fun.")
        heat = level("kettle_celsius", "How hot it is.", unit="degrees", use="Tea.", labels=("kettle",))
        wait = spread("kettle_seconds", "How long it took.", unit="seconds", use="No.", buckets=(60, 120))

    registry = make_registry()
    kettle = Kettle(registry)
    kettle.boiled.inc(2)
    kettle.heat.labels("blue").set(96)
    kettle.wait.observe(90)
    assert registry.get_sample_value("kettle_boiled_total") == 2
    assert registry.get_sample_value("kettle_celsius", {"kettle": "blue"}) == 96
    assert registry.get_sample_value("kettle_seconds_bucket", {"le": "120.0"}) == 1
    assert registry.get_sample_value("kettle_boiled_created") is None
    assert Kettle.heat.labels == ("kettle",)
