"""``db migrate``, ``db status``, ``db retention``, ``persist``, ``forget`` and ``export``."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from drift_aware.schema.metrics import SinkMetrics
from drift_aware.schema.metrics.metric import make_registry
from drift_aware.schema.metrics.served import served
from drift_aware.schema.verbs import ConfigOption, JsonOption, SkipLostOption, start, stop_on_signals
from drift_aware.sql import migrate, retention, sink, store
from drift_aware.sql.consumer import ExactlyOnceConsumer
from drift_aware.sql.export_verb import export
from drift_aware.sql.forget_verb import forget


def register(app: typer.Typer) -> None:
    """Add this role's verbs."""
    group = typer.Typer(help="The Postgres schema.", no_args_is_help=True)
    group.command("migrate")(migrate_schema)
    group.command("status")(status)
    group.command("retention")(clean)
    app.add_typer(group, name="db")
    app.command("persist")(persist)
    app.command("forget")(forget)
    app.command("export")(export)


def migrate_schema(config: ConfigOption = None) -> None:
    """Bring the schema up to date; what is already there is left as it is."""
    settings = start(config)
    with store.connect(settings.require_database_url(), "migrate") as connection:
        applied = migrate.migrate(connection)
    for migration in applied:
        print(f"applied {migration.version:04} {migration.name}")
    if not applied:
        print("the schema is up to date")


def status(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show every migration and when it was applied."""
    settings = start(config)
    with store.connect(settings.require_database_url(), "status") as connection:
        entries = migrate.status(connection)
    for entry in entries:
        if json:
            print(msgspec.json.encode(entry).decode())
        else:
            when = f"applied {entry.applied_at:%Y-%m-%d %H:%M:%S %Z}" if entry.applied_at else "to be applied"
            print(f"{entry.version:04} {entry.name:28} {when}")


def clean(
    config: ConfigOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")] = False,
    json: JsonOption = False,
) -> None:
    """Remove what is older than the setting `retention` says, as persist does once an hour."""
    settings = start(config)
    today = datetime.now(UTC).date()
    with store.connect(settings.require_database_url(), "retention") as connection:
        migrate.require_current(connection)
        if dry_run:
            found = retention.foresee(connection, settings.retention, today)
        else:
            retention.keep(connection, settings.retention)
            found = list(retention.clean(connection, today))
    for removed in found:
        print(msgspec.json.encode(removed).decode() if json else _line(removed, dry_run))
    if not found and not json:
        print("nothing is too old")


def _line(removed: retention.Removed, dry_run: bool) -> str:
    if removed.outcome == "in use":
        what = "in use, left for the next time"
    elif removed.outcome == "dropped":
        what = f"{'would drop' if dry_run else 'dropped'} {(removed.bytes or 0) / 1e6:,.1f} MB"
    else:
        what = f"{'would delete' if dry_run else 'deleted'} {removed.rows:,} rows"
    return f"{removed.relation:40} {what}"


def persist(
    config: ConfigOption = None,
    prometheus_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Serve metrics on this port; 0 serves none.")
    ] = 0,
    skip_lost: SkipLostOption = False,
) -> None:
    """Write everything that is published to Postgres, each event exactly once; Ctrl-C or SIGTERM stops it."""
    settings = start(config)
    registry = make_registry()
    metrics = SinkMetrics(registry)
    consumer = ExactlyOnceConsumer(
        settings,
        sink.NAME,
        sink.TOPICS,
        sink.Sink(metrics, settings.retention, store_texts=settings.sql.store_texts),
        skip_lost=skip_lost,
        retried=lambda cause: metrics.retries.labels(cause).inc(),
    )
    stop = stop_on_signals()
    consumer.knock()
    with served(prometheus_port, registry):
        consumer.run(stop)
