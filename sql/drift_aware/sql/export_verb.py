"""``drift-aware export``."""

import signal
from pathlib import Path
from typing import Annotated

import typer

from drift_aware.schema.errors import SettingsError
from drift_aware.schema.progress import Advance
from drift_aware.schema.verbs import ConfigOption, start
from drift_aware.sql import store
from drift_aware.sql.export import Selection, What, dimensions_of, moment_of, selected
from drift_aware.sql.export_files import Format, Writer, writer, written_whole
from drift_aware.sql.store import Connection

_Text = str | None


def export(
    what: Annotated[What, typer.Argument(metavar="interactions|feedback|embeddings|training")],
    since: Annotated[str, typer.Option(help="From this time on, as in 2026-11-01 or an RFC 3339 time.")],
    output: Annotated[Path, typer.Option(help="The file; - is stdout.")],
    until: Annotated[_Text, typer.Option(help="Before this time.")] = None,
    form: Annotated[Format, typer.Option("--format")] = "jsonl",
    segment: Annotated[str, typer.Option(help="As alerts name it: app=shop,model=gpt-4o.")] = "all",
    app: Annotated[_Text, typer.Option(help="Of this app only.")] = None,
    model: Annotated[_Text, typer.Option(help="Of this model only.")] = None,
    prompt_version: Annotated[_Text, typer.Option(help="Of this version only.")] = None,
    tenant: Annotated[_Text, typer.Option(help="Of this tenant only.")] = None,
    min_score: Annotated[
        float, typer.Option(min=1, max=5, help="Of training: the least mean rating; thumbs are 5 and 1.")
    ] = 4.0,
    config: ConfigOption = None,
) -> None:
    """Write what Postgres holds to a file: events, or answers people liked as training data.

    JSON lines of events are those that `replay` reads. Training data are `messages`, each pair once. What
    belongs to somebody forgotten is left out. The file appears when it is complete.
    """
    settings = start(config)
    if form == "parquet" and str(output) == "-":
        raise SettingsError("parquet needs a file; give --output FILE, or --format jsonl")
    given = {"app": app, "model": model, "prompt_version": prompt_version, "tenant": tenant}
    dimensions = dimensions_of(segment) | {name: value for name, value in given.items() if value is not None}
    times = {"since": moment_of(since)} | ({"until": moment_of(until)} if until else {})
    selection = Selection(what, dimensions=dimensions, min_score=min_score, **times)
    # Then SIGTERM, too, takes the unfinished file away.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with store.opened(settings, "export") as connection, written_whole(output) as file:
        count = copy(connection, selection, writer(form, what, file))
    typer.echo(f"exported {count:,} rows", err=True)


def copy(connection: Connection, selection: Selection, target: Writer) -> int:
    """Hand all rows of a selection to a writer; how many there were."""
    count = 0
    with (
        selected(connection, selection) as (expected, batches),
        Advance(f"exporting {selection.what}") as bar,
    ):
        for rows in batches:
            target.write(rows)
            count += len(rows)
            bar.reach(count, max(count, expected))
    target.close()
    return count
