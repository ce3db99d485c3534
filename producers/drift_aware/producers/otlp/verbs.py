"""``ingest otlp``: events of what an application's OpenTelemetry instrumentation says already."""

import threading
from contextlib import ExitStack
from typing import Annotated

import typer

from drift_aware.producers.otlp import collector
from drift_aware.producers.otlp.collector import Telemetry
from drift_aware.producers.otlp.intake import Intake, Signal
from drift_aware.producers.relay import Relay
from drift_aware.schema import reach
from drift_aware.schema.errors import SettingsError
from drift_aware.schema.metrics import IngestMetrics
from drift_aware.schema.metrics.metric import make_registry
from drift_aware.schema.metrics.served import served
from drift_aware.schema.settings import Settings
from drift_aware.schema.verbs import ConfigOption, SkipLostOption, start, stop_on_signals

# The size of what the Collector writes; a record may hold thousands of spans.
_BATCH_RECORDS = 20


def register(app: typer.Typer) -> None:
    """Add this role's verbs."""
    group = typer.Typer(help="Events of what other systems say.", no_args_is_help=True)
    group.command("otlp")(otlp)
    app.add_typer(group, name="ingest")


def otlp(
    config: ConfigOption = None,
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Take OTLP over HTTP there, as on 127.0.0.1:4318.")
    ] = None,
    topics: Annotated[
        bool, typer.Option("--topics", help="Read the Collector's topics too; without --listen always.")
    ] = False,
    prometheus_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Serve metrics on this port; 0 serves none.")
    ] = 0,
    skip_lost: SkipLostOption = False,
) -> None:
    """Publish OpenTelemetry's spans and log records of models as events; Ctrl-C or SIGTERM stops it.

    From Kafka topics that an OpenTelemetry Collector writes, each record exactly once, or from senders of
    OTLP over HTTP, or both.
    """
    settings = start(config)
    registry = make_registry()
    metrics = IngestMetrics(registry)
    intake = Intake(settings)
    relay = _relay(settings, intake, metrics, skip_lost=skip_lost) if topics or listen is None else None
    stop = stop_on_signals()
    reach.knock(settings.kafka)
    with ExitStack() as stack:
        stack.enter_context(served(prometheus_port, registry))
        if listen is not None:
            # Not needed to read topics, and half a second to import.
            from drift_aware.producers.otlp.listener import application, listening
            from drift_aware.producers.otlp.receiver import Receiver

            receiver = Receiver(settings, intake, metrics)
            stack.callback(receiver.close)
            app = application(receiver, metrics, registry, settings.otlp.max_body_bytes)
            stack.enter_context(listening(app, *_place(listen)))
        if relay is not None:
            relay.run(stop)
        else:
            _wait(stop)


def _relay(settings: Settings, intake: Intake, metrics: IngestMetrics, *, skip_lost: bool) -> Relay:
    places: list[tuple[str | None, Signal]] = [
        (settings.otlp.spans_topic, "traces"),
        (settings.otlp.logs_topic, "logs"),
    ]
    signals = {topic: signal for topic, signal in places if topic is not None}
    if not signals:
        raise SettingsError("otlp.spans_topic and otlp.logs_topic are null; set one, or listen only")
    return Relay(
        settings,
        collector.NAME,
        list(signals),
        Telemetry(intake, signals, metrics),
        start=settings.otlp.start,
        skip_lost=skip_lost,
        batch_records=_BATCH_RECORDS,
        retried=lambda cause: metrics.retries.labels(cause).inc(),
        refused=lambda reason: metrics.refused.labels(reason).inc(),
    )


def _place(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise SettingsError(f"--listen {listen}: give an address and a port, as in 127.0.0.1:4318")
    return host.strip("[]"), int(port)


def _wait(stop: threading.Event) -> None:
    while not stop.wait(1.0):  # a wait without an end would not hear signals on every platform
        pass
