"""``drift-aware publish``: past events of a file or a table, to Kafka."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from drift_aware.producers.backfill import files, query
from drift_aware.producers.backfill.backfilling import Backfilling, Counts, Rehearsal
from drift_aware.producers.backfill.delivery import MOST_EVENTS, TIMEOUT_MS, Delivery
from drift_aware.producers.backfill.mapping import Shape
from drift_aware.producers.backfill.rejects import kept
from drift_aware.producers.backfill.rows import Source
from drift_aware.producers.drafts import Completion
from drift_aware.producers.publisher import Publisher
from drift_aware.schema.errors import DriftAwareError, SettingsError, Unreachable
from drift_aware.schema.events import Kind
from drift_aware.schema.progress import Advance
from drift_aware.schema.redaction import Redaction
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import SOURCES, existing
from drift_aware.schema.verbs import ConfigOption, JsonOption, start, stop_on_signals

_MAX_TEXT_CHARS = 20_000
_Pairs = list[str] | None


def publish(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE|-]", help="JSON lines, CSV or Parquet; - is stdin.")
    ] = None,
    from_postgres: Annotated[
        str | None, typer.Option("--from-postgres", metavar="QUERY", help="The rows of a SELECT instead.")
    ] = None,
    database_url_env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Environment variable with the address of another database."),
    ] = None,
    kind: Annotated[Kind | None, typer.Option(help="Of the events; else each row has a `type`.")] = None,
    form: Annotated[
        files.Form | None, typer.Option("--format", help="Else the name of the file says it.")
    ] = None,
    columns: Annotated[
        _Pairs, typer.Option("--map", metavar="FIELD=COLUMN", help="The column of a field; may be repeated.")
    ] = None,
    constants: Annotated[
        _Pairs,
        typer.Option("--set", metavar="FIELD=VALUE", help="The same for every event; may be repeated."),
    ] = None,
    utc: Annotated[bool, typer.Option("--utc", help="Times without an offset are UTC.")] = False,
    rate: Annotated[float | None, typer.Option(min=0.01, help="Events a second at most.")] = None,
    from_line: Annotated[int, typer.Option(min=1, help="Begin at this line of the file, or row.")] = 1,
    rejects: Annotated[Path | None, typer.Option(help="Write rows that cannot be used to this file.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read all, publish nothing.")] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Publish past events, redacted as the settings say; rows that cannot be used are told of and skipped.

    Interrupted, it says at which line to go on with --from-line. An event without an id gets one from the
    line it stands on and what the line says, so that the same file gives the same ids.
    """
    settings = start(config)
    shape = Shape(kind, _pairs("--map", columns), _pairs("--set", constants), utc=utc)
    counts, stop = Counts(), stop_on_signals()
    try:
        with ExitStack() as stack:
            source = stack.enter_context(_source(settings, file, form, from_postgres, database_url_env))
            if unused := shape.require(source.columns):
                _say(f"columns left out: {', '.join(unused)}")
            aside = stack.enter_context(kept(rejects, _say, anew=from_line == 1))
            completion = Completion({}, _MAX_TEXT_CHARS, Redaction.configured(settings.redact))
            delivery = (
                Rehearsal() if dry_run else Delivery(stack.enter_context(_publisher(settings)), stop, rate)
            )
            bar = stack.enter_context(Advance("reading" if dry_run else "publishing"))
            Backfilling(shape, completion, aside.add, counts).run(
                source, delivery, stop, from_line, bar.reach
            )
    except DriftAwareError:
        if counts.next_line is not None:
            _report(counts, json, dry_run)
        raise
    _report(counts, json, dry_run)
    raise typer.Exit(1 if counts.rejected or counts.next_line else 0)


def _pairs(option: str, given: _Pairs) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for each in given or ():
        name, sign, value = each.partition("=")
        if not (name and sign):
            raise SettingsError(f"{option} {each}: write it as in {option} app=shop")
        pairs[name] = value
    return pairs


@contextmanager
def _source(
    settings: Settings,
    file: Path | None,
    form: files.Form | None,
    statement: str | None,
    variable: str | None,
) -> Iterator[Source]:
    if (file is None) == (statement is None):
        raise SettingsError("give either a file or --from-postgres QUERY")
    if statement is not None:
        with query.opened(query.address(settings, variable), statement) as source:
            yield source
    elif file is not None:
        with files.opened(file, form) as source:
            yield source


def _publisher(settings: Settings) -> Publisher:
    """Nothing is redacted in it: that has been done when it comes there.

    Of topics it asks only for those it writes to, which is all that an application may see.
    """
    there = existing(settings)
    for topic in SOURCES.values():
        if topic.name not in there:
            raise Unreachable(f"no topic {topic.name}; run: drift-aware topics create")
    client = settings.kafka.client() | {"message.timeout.ms": TIMEOUT_MS}
    servers = str(client.pop("bootstrap.servers"))
    return Publisher(
        servers, client=client, max_queued_events=2 * MOST_EVENTS, max_text_chars=_MAX_TEXT_CHARS
    )


def _report(counts: Counts, json: bool, dry_run: bool) -> None:
    if json:
        typer.echo(msgspec.json.encode(counts).decode())
    else:
        done = "would publish" if dry_run else "published"
        told = ", ".join(f"{count:,} x {kind}" for kind, count in sorted(counts.published.items()))
        typer.echo(f"{done} {told or 'nothing'}")
    for count, what in (
        (counts.rejected, "rows cannot be used"),
        (counts.empty, "rows of feedback say nothing"),
        (counts.clipped, "texts lost their end"),
        (counts.redacted.total(), "pieces of text redacted"),
        (counts.withheld, "texts withheld, because the redaction failed on them"),
    ):
        if count:
            _say(f"{count:,} {what}")
    if counts.next_line is not None:
        _say(f"not all is done; go on with --from-line {counts.next_line}")


def _say(line: str) -> None:
    typer.echo(line, err=True)
