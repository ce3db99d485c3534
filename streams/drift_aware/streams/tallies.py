"""What the units of a pane had of each metric, in two numbers: pure.

They go out with the readings, so that anybody can compare two stretches of time from what is in Postgres, on
the labels and the units (the first turns of conversations) that the detectors had.
"""

from collections.abc import Mapping

from drift_aware.schema.alerts import Tally
from drift_aware.streams.measures import METRICS, Rate
from drift_aware.streams.summary import SCORED, Summary, embedding_family, kind_of


def tallies(units: Mapping[str, Summary]) -> dict[str, Tally]:
    """Metric to its tally; none of what had no events.

    Args:
        units: family to the events of the pane that count as units.

    >>> tallies({"evaluation": Summary({"events": 5, "graded": 4, "correct": 1})})
    {'accuracy': Tally(events=4, total=1.0, rate=True)}
    """
    found: dict[str, Tally] = {}
    for family, summary in units.items():
        for metric in METRICS.values():
            if metric.family == family and (events := metric.measure.events(summary)):
                rate = isinstance(metric.measure, Rate)
                found[metric.name] = Tally(events, metric.measure.value(summary) * events, rate)
        if kind_of(family) == "embedding":
            _add_distances(found, family, summary)
    return found


def _add_distances(found: dict[str, Tally], family: str, summary: Summary) -> None:
    """How far embeddings are from their baseline, in the bins of the reference that scored them."""
    scored = {name: count for name, count in summary.counts.items() if name.startswith(SCORED)}
    if list(scored.values()) != [summary.events]:
        return  # partly counted before there was a baseline, or against two
    total = sum(place * count for place, count in summary.histograms.get("distance", {}).items())
    reference = next(iter(scored)).removeprefix(SCORED)
    found[f"{embedding_family(family)[0]}_embedding/{reference}"] = Tally(summary.events, float(total))
