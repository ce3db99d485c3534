"""``worker``, ``baseline``, ``status`` and ``alerts``."""

from typing import Annotated

import msgspec
import structlog
import typer

from drift_aware.schema.alerts import Alert, Baseline
from drift_aware.schema.topics import ALERTS
from drift_aware.schema.verbs import ConfigOption, JsonOption, start, stop_on_signals
from drift_aware.streams import baseliner, reader
from drift_aware.streams import status as status_module
from drift_aware.streams.stage import Input

_log = structlog.get_logger(__name__)
_json = msgspec.json.Encoder().encode
_alert = msgspec.json.Decoder(Alert).decode


def register(app: typer.Typer) -> None:
    """Add this role's verbs."""
    app.command("worker")(worker)
    app.command("status")(status)
    app.command("alerts")(alerts)
    group = typer.Typer(help="What current traffic is compared with.", no_args_is_help=True)
    group.command("watch")(watch_baselines)
    group.command("list")(list_baselines)
    app.add_typer(group, name="baseline")


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


def watch_baselines(config: ConfigOption = None) -> None:
    """Fit baselines on the first events of each segment, until stopped."""
    settings = start(config)
    _log.info("watching for segments without a baseline")
    baseliner.watch(settings, stop_on_signals(), _log_fitted)


def list_baselines(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show the baselines in force."""
    found = sorted(baseliner.catalogue(start(config)), key=lambda each: (each.segment, each.family))
    for each in found:
        if json:
            print(_json(each).decode())
        else:
            print(f"{each.segment:40} {each.family:40} {each.events:>8,} events  {each.id}")
    if not found and not json:
        print("no baselines yet")


def _log_fitted(baseline: Baseline) -> None:
    _log.info("baseline fitted", segment=baseline.segment, family=baseline.family, events=baseline.events)
