"""``worker``, ``status`` and ``alerts``; the verbs of baselines and of files have modules of their own."""

from typing import Annotated

import msgspec
import typer

from drift_aware.schema.alerts import Alert
from drift_aware.schema.topics import ALERTS
from drift_aware.schema.verbs import ConfigOption, JsonOption, start, stop_on_signals
from drift_aware.streams import baseline_verbs, dlq_verbs, reader, replay_verbs
from drift_aware.streams import status as status_module
from drift_aware.streams.label_verb import label
from drift_aware.streams.stage import Input

_json = msgspec.json.Encoder().encode
_alert = msgspec.json.Decoder(Alert).decode


def register(app: typer.Typer) -> None:
    """Add this role's verbs."""
    app.command("worker")(worker)
    app.command("status")(status)
    app.command("alerts")(alerts)
    app.command("label")(label)
    baseline_verbs.register(app)
    dlq_verbs.register(app)
    replay_verbs.register(app)


def worker(config: ConfigOption = None) -> None:
    """Run the stream worker: counts every event, compares, and emits readings and alerts.

    It stops with exit code 3 when going on could make its counts wrong; let a supervisor start it again.
    """
    from drift_aware.streams.worker import run  # Faust takes a second to import; other verbs do without

    run(start(config))


def status(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show how many events of each kind were counted, for every segment, since the beginning."""
    totals = status_module.totals(start(config))
    if json:
        print(_json({"segments": totals}).decode())
        return
    for segment, counts in totals.items():
        print(segment)
        for name, count in counts.items():
            print(f"  {name:24} {count:>14,}")


def alerts(
    config: ConfigOption = None,
    json: JsonOption = False,
    follow: Annotated[bool, typer.Option("--follow", help="Go on showing new ones.")] = False,
) -> None:
    """Show the alerts, every revision in the order of arrival."""
    settings = start(config)
    seen: set[tuple[str, int]] = set()

    def show(record: Input) -> None:
        alert = _alert(record.value or b"")
        if (alert.id, alert.revision) in seen:
            return  # sent again after a recovery
        seen.add((alert.id, alert.revision))
        print(
            _json(alert).decode() if json else f"{alert.severity:8} {alert.status:8} {alert.summary}",
            flush=True,
        )

    if follow:
        reader.follow(settings, ALERTS.name, stop_on_signals(), show)
        return
    for record in reader.read_each(settings, ALERTS.name):
        show(record)
    if not seen and not json:
        print("no alerts")
