"""``drift-aware forget``."""

from collections import Counter
from typing import Annotated

import msgspec
import typer

from drift_aware.schema.errors import SettingsError
from drift_aware.schema.verbs import ConfigOption, JsonOption, start
from drift_aware.sql import cells, erasure, store
from drift_aware.sql.tombstones import Names

_REMAINS = (
    "Kafka still has the events until its retention ends; stored again, they stay without texts and vectors. "
    "Backups, and pages not vacuumed yet, have them longer; see docs/privacy.md."
)


def forget(
    config: ConfigOption = None,
    user: Annotated[
        list[str] | None, typer.Option(help="The label `user` of interactions; may be repeated.")
    ] = None,
    session: Annotated[list[str] | None, typer.Option(help="A session_id; may be repeated.")] = None,
    interaction: Annotated[
        list[str] | None, typer.Option(help="An interaction's id; may be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be erased.")] = False,
    json: JsonOption = False,
) -> None:
    """Erase the texts and vectors of a person, a session or an interaction, and keep them from coming back.

    Numbers and marks stay: when, how long, whether it was refused. What Kafka sends later or again is stored
    without texts. It may be run again, and goes on where it was cut short.
    """
    settings = start(config)
    who = Names(*(_ids(given) for given in (interaction, session, user)))
    if not who.pairs()["ids"]:
        raise SettingsError("forget whom? give --user, --session or --interaction")
    with store.opened(settings, "forget") as connection:
        erased = erasure.forget(connection, who, dry_run=dry_run)
    typer.echo(_for_machines(erased, dry_run) if json else _for_people(erased, dry_run))
    typer.echo(_REMAINS, err=True)


def _ids(given: list[str] | None) -> frozenset[str]:
    """As the log tables have them."""
    return frozenset(filter(None, (cells.name(each, Counter()) for each in given or ())))


def _for_machines(erased: erasure.Erased, dry_run: bool) -> str:
    return msgspec.json.encode({"dry_run": dry_run} | msgspec.structs.asdict(erased)).decode()


def _for_people(erased: erasure.Erased, dry_run: bool) -> str:
    verb = "would forget" if dry_run else "forgot"
    lines = [f"{verb} {erased.names:,} names, {erased.new:,} of them new"]
    lines += [
        f"{'would erase' if dry_run else 'erased'} {rows:,} in {table}" for table, rows in erased.rows.items()
    ]
    return "\n".join(lines)
