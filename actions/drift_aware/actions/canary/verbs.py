"""``canary``, and ``canary accept``."""

import time
from collections.abc import Sequence
from threading import Event
from typing import Annotated

import httpx2
import msgspec
import structlog
import typer

from drift_aware.actions.canary import cost, story
from drift_aware.actions.canary.asking import Chat, Endpoint, endpoints
from drift_aware.actions.canary.book import Book
from drift_aware.actions.canary.patrol import Patrol
from drift_aware.actions.errors import ActionFailed
from drift_aware.schema.canaries import Canary, CanaryId
from drift_aware.schema.errors import SettingsError, Unreachable
from drift_aware.schema.metrics import CanaryMetrics
from drift_aware.schema.metrics.metric import make_registry
from drift_aware.schema.metrics.served import served
from drift_aware.schema.settings import Settings
from drift_aware.schema.verbs import ConfigOption, JsonOption, start, stop_on_signals

_LOOK_SECONDS = 1.0
_TURN_SECONDS = 60.0
_NOUNS: dict[CanaryId, str] = {"answers": "golden prompts", "embedding": "fixed strings"}

log = structlog.get_logger(__name__)


def register(app: typer.Typer) -> None:
    """Add this role's verbs."""
    group = typer.Typer(invoke_without_command=True)
    group.callback()(canary)
    group.command("accept")(accept)
    app.add_typer(group, name="canary")


def canary(
    context: typer.Context,
    config: ConfigOption = None,
    json: JsonOption = False,
    once: Annotated[bool, typer.Option("--once", help="Go round once, now, and end.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be asked and what it costs; send nothing.")
    ] = False,
    prometheus_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Serve metrics on this port; 0 serves none.")
    ] = 0,
) -> None:
    """Ask your models the same again and again, and raise an alert when they answer otherwise.

    Golden prompts go to canary.chat, fixed strings to canary.embedding, every canary.every_minutes. One
    process goes round at a time; a second one waits. Ctrl-C stops it. With --once, exit code 1 if an endpoint
    has given no answer.
    """
    if context.invoked_subcommand is not None:
        return
    settings = start(config)
    asked = endpoints(settings)
    if not asked:
        raise SettingsError("there is nobody to ask; set canary.chat or canary.embedding")
    if dry_run:
        _show_questions(asked, json)
    _show_cost(settings, asked, json)
    if dry_run:
        return
    stop = stop_on_signals()
    registry = make_registry()
    metrics = CanaryMetrics(registry)
    with served(prometheus_port, registry), Book(settings) as book:
        patrol = Patrol(settings, book, asked, metrics, stopped=stop.is_set)
        if once:
            _go_once(settings, book, patrol, asked, json=json)
        else:
            _go_on(book, patrol, stop)


def accept(
    which: Annotated[CanaryId | None, typer.Argument(help="Of what; without it, of both.")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Take what is answered now as the beginning of a new reference, and close the alert."""
    settings = start(config)
    with Book(settings, alone=False) as book:
        chosen = [each for each in book.latest().values() if which in (None, each.id)]
        if not chosen:
            raise ActionFailed("there are no answers yet; run drift-aware canary")
        now_ms = round(time.time() * 1000)
        accepted = [story.accept(each, now_ms) for each in chosen]
        # The alert first: if this is cut short, it can be done again.
        book.tell(
            new.alert
            for new, old in zip(accepted, chosen, strict=True)
            if new.alert and new.alert != old.alert
        )
        book.write(accepted)
    for each in accepted:
        _show(settings, each, json=json)


def _go_on(book: Book, patrol: Patrol, stop: Event) -> None:
    waiting = False
    while not stop.is_set():
        book.wait(_LOOK_SECONDS)
        if waiting != (not book.mine):
            waiting = not book.mine
            log.info("another canary goes round; waiting for its turn" if waiting else "going round")
        try:
            patrol.turn()
        except Unreachable as trouble:
            log.warning("a round of the canary has failed", error=str(trouble))


def _go_once(
    settings: Settings, book: Book, patrol: Patrol, asked: Sequence[Endpoint], *, json: bool
) -> None:
    deadline = time.monotonic() + _TURN_SECONDS
    while not book.mine:
        book.wait(_LOOK_SECONDS)
        if time.monotonic() > deadline:
            raise ActionFailed("another canary goes round; stop it first, or leave it to it")
    answered = patrol.turn(at_once=True)
    for each in answered:
        _show(settings, each, json=json)
    if len(answered) < len(asked):
        raise typer.Exit(1)


def _show(settings: Settings, canary: Canary, *, json: bool) -> None:
    learn = settings.canary.learn_probes
    counted = story.count(canary, learn)
    learned = sum(probe.rounds >= learn for probe in canary.probes)
    shown = {
        "canary": canary.id,
        "round": canary.round,
        "probes": len(canary.probes),
        "learned": learned,
        "steady": len(counted.steady),
        "changed": [probe.name for probe in counted.changed],
        "reported": canary.reported,
        "firing": story.is_firing(canary),
    }
    if json:
        print(msgspec.json.encode(shown).decode())
    elif learned < len(canary.probes):
        print(f"{canary.id}: round {canary.round}, learning; {learned} of {len(canary.probes)} are learned")
    else:
        unsteady = len(canary.probes) - len(counted.steady)
        print(
            f"{canary.id}: round {canary.round}, {len(counted.changed)} of {len(counted.steady)} changed, "
            f"{unsteady} unsteady"
        )


def _show_questions(asked: Sequence[Endpoint], json: bool) -> None:
    for endpoint in asked:
        for question in endpoint.questions:
            if json:
                shown = {"canary": endpoint.id, "model": endpoint.model} | msgspec.structs.asdict(question)
                print(msgspec.json.encode(shown).decode())
            else:
                print(f"{endpoint.id:9} {question.name}: {question.prompt}")


def _show_cost(settings: Settings, asked: Sequence[Endpoint], json: bool) -> None:
    every = settings.canary.every_minutes
    usd = cost.most_usd_a_day(asked, settings.prices, every)
    if json:
        print(msgspec.json.encode({"every_minutes": every, "most_usd_per_day": usd}).decode())
        return
    for endpoint in asked:
        where = settings.canary.chat if isinstance(endpoint, Chat) else settings.canary.embedding
        assert where is not None
        print(
            f"{len(endpoint.questions)} {_NOUNS[endpoint.id]} to {endpoint.model} at "
            f"{httpx2.URL(where.base_url).host}, every {every:g} minutes"
        )
    unpriced = [each.model for each in asked if cost.most_usd(each, settings.prices) is None]
    if usd is None:
        print(
            f"cost a day: unknown, prices says nothing of {', '.join(unpriced)}; the budget does not hold it"
        )
    else:
        print(f"cost a day: at most {usd:.4f} USD; budget {settings.canary.budget_usd_per_day:g} USD")
