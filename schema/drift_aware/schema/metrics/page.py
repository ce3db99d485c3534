"""The page about all metrics.

Usage: ``python -m drift_aware.schema.metrics.page > docs/metrics.md``
"""

import inspect
import sys
from collections.abc import Iterator

from drift_aware.schema.metrics import VOCABULARY
from drift_aware.schema.metrics.metric import Instruments

_HEAD = """\
# Metrics

This page is made from the code that serves the metrics: `make metrics` writes it anew.

Every role serves `/metrics`: `worker` on `PROMETHEUS_PORT` (9108), `persist`, `act` and `embed` with
`--prometheus-port`, `serve` on its own port, `ingest` with either.
[`prometheus.yml`](../prometheus.yml) scrapes all but the last and `embed`, and loads the rules in
[`dashboards/prometheus`](../dashboards/prometheus); [runbooks.md](runbooks.md) says what to do when one
fires.

Labels have few values. `segment` is the one that could have many: the worker gives series to `all` and to the
first `prometheus_segments` (200) others that close a pane after it has started or taken over partitions.
`drift_aware_segments_without_series` says how many more it watches; alerts, readings and the record have all
of them. Series of a segment go when its partition goes to another worker, so that no two show the same, and
when it has been silent for two windows. With all four kinds of events a segment has about 170 series; 200
segments make a page of 2.5 MB.
"""


def page() -> str:
    """The page, Markdown."""
    return "\n".join([_HEAD, *(line for each in VOCABULARY for line in _section(each))])


def _section(instruments: type[Instruments]) -> Iterator[str]:
    yield f"## {_title(instruments)}\n"
    yield f"{inspect.cleandoc(instruments.__doc__ or '')}\n".replace("``", "`")
    yield "| name | type | unit | labels | what it is | what it is good for |"
    yield "|---|---|---|---|---|---|"
    for metric in instruments.declared():
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        yield (
            f"| `{metric.name}` | {metric.kind} | {metric.unit} | {labels} | {metric.about} | {metric.use} |"
        )
    yield ""


def _title(instruments: type[Instruments]) -> str:
    return f"{instruments.__name__.removesuffix('Metrics')} ({', '.join(instruments.roles)})"


if __name__ == "__main__":
    sys.stdout.write(page())
