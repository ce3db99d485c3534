"""``simulate``, ``redact`` and ``publish``."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event as Flag
from typing import Annotated, BinaryIO, TextIO

import msgspec
import typer

from drift_aware.producers.publish_verb import publish
from drift_aware.producers.publisher import Publisher
from drift_aware.producers.redact_verb import redact
from drift_aware.producers.simulate.lines import line
from drift_aware.producers.simulate.pace import as_they_are_taken, in_their_time, limited
from drift_aware.producers.simulate.recovery import helped
from drift_aware.producers.simulate.scenarios import SCENARIOS, Scenario
from drift_aware.producers.simulate.traffic import events
from drift_aware.schema.errors import BadEvent, SettingsError
from drift_aware.schema.events import KINDS, Event, milliseconds
from drift_aware.schema.redaction import Redaction
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import require
from drift_aware.schema.verbs import ConfigOption, JsonOption, start, stop_on_signals

MOST_QUEUED = 20_000
FLUSH_SECONDS = 30.0


class Story(msgspec.Struct, frozen=True):
    """What is asked for, apart from where it goes."""

    scenario: Scenario
    seed: int
    rate: float
    change_at: int
    recover_at: int | None
    interactions: int | None
    dim: int
    explicit_labels: bool

    def events(self, start_ms: int | None, recovered: Callable[[], bool] = lambda: False) -> Iterator[Event]:
        """Its events, the first interaction at ``start_ms``, or now."""
        told = events(
            self.scenario,
            seed=self.seed,
            rate=self.rate,
            start_ms=round(time.time() * 1000) if start_ms is None else start_ms,
            change_at=self.change_at,
            recover_at=self.recover_at,
            recovered=recovered,
            dim=self.dim,
            explicit_labels=self.explicit_labels,
        )
        return limited(told, self.interactions)


def register(app: typer.Typer) -> None:
    """Add this role's verbs."""
    app.command("simulate")(simulate)
    app.command("redact")(redact)
    app.command("publish")(publish)


def simulate(
    config: ConfigOption = None,
    scenario: Annotated[
        str, typer.Option(help="; ".join(f"{name}: {told.about}" for name, told in SCENARIOS.items()) + ".")
    ] = "drift",
    rate: Annotated[float, typer.Option(min=0.01, help="Interactions per second of event time.")] = 20.0,
    interactions: Annotated[
        int | None, typer.Option("--events", min=1, help="How many interactions; else until Ctrl-C.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.01, help="The same, as seconds of event time.")
    ] = None,
    change_at: Annotated[int, typer.Option(min=0, help="Interactions before the change.")] = 4000,
    recover_at: Annotated[
        int | None, typer.Option(min=0, help="Interactions before all is well again (scenario recovery).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 7,
    fast: Annotated[
        bool, typer.Option("--fast", help="As fast as possible; the events' times end now.")
    ] = False,
    out: Annotated[
        str | None, typer.Option(help="Write events as JSON lines to this file, - for stdout, not to Kafka.")
    ] = None,
    begin: Annotated[
        str | None, typer.Option(help="Time of the first event, RFC 3339; with --fast or --out.")
    ] = None,
    dim: Annotated[int, typer.Option(min=8, max=4096, help="Of the text-hash embeddings.")] = 64,
    explicit_labels: Annotated[
        bool, typer.Option("--explicit-labels", help="Say of each answer whether it refuses.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Play a chat application with a scenario; at the end, say what was published."""
    settings = start(config)
    if scenario not in SCENARIOS:
        raise SettingsError(f"no scenario {scenario}; there are {', '.join(SCENARIOS)}")
    if seconds is not None:
        interactions = max(1, round(seconds * rate))
    in_the_past = fast or out is not None
    if interactions is None and in_the_past:
        raise SettingsError("--fast and --out need an end: give --events or --seconds")
    if begin is not None and not in_the_past:
        raise SettingsError("--begin says when the past began: give --fast or --out too")
    story = Story(SCENARIOS[scenario], seed, rate, change_at, recover_at, interactions, dim, explicit_labels)
    start_ms = _begin(story, begin) if in_the_past else None
    stop = stop_on_signals()
    if out is not None:
        counts = _to_file(story.events(start_ms), out, stop)
        _report(counts, {}, json, sys.stderr if out == "-" else sys.stdout)
    else:
        counts, dropped = _to_kafka(settings, story, start_ms, stop)
        _report(counts, dropped, json, sys.stdout)
        raise typer.Exit(1 if dropped else 0)


def _begin(story: Story, begin: str | None) -> int:
    """The time of the first event; unless it is given, such that the last one is now."""
    if begin is None:
        return round(time.time() * 1000 - (story.interactions or 0) * 1000 / story.rate)
    try:
        return milliseconds(begin)
    except BadEvent:
        raise SettingsError(f"--begin {begin}: give a time as in 2026-03-01T12:00:00Z") from None


def _to_file(told: Iterable[Event], out: str, stop: Flag) -> Counter[str]:
    counts: Counter[str] = Counter()
    try:
        with ExitStack() as stack:
            file: BinaryIO = sys.stdout.buffer if out == "-" else stack.enter_context(Path(out).open("wb"))
            for event in told:
                if stop.is_set():
                    break
                file.write(line(event))
                counts[KINDS[type(event)]] += 1
    except BrokenPipeError:
        raise  # the reader of stdout has had enough, which is no mistake; typer ends quietly
    except OSError as error:
        raise SettingsError(f"cannot write {out}: {error.strerror}; choose another file for --out") from None
    return counts


def _to_kafka(
    settings: Settings, story: Story, start_ms: int | None, stop: Flag
) -> tuple[Counter[str], dict[str, int]]:
    """Publish; in the events' own time unless a start in the past is given."""
    require(settings)
    client = settings.kafka.client()
    servers = str(client.pop("bootstrap.servers"))
    counts: Counter[str] = Counter()
    with ExitStack() as stack:
        recovered = stack.enter_context(helped(settings)).is_set if story.scenario.recovers else lambda: False
        redaction = Redaction.configured(settings.redact)
        publisher = stack.enter_context(
            Publisher(servers, client=client, max_queued_events=2 * MOST_QUEUED, redact=redaction)
        )
        if start_ms is None:
            told = in_their_time(story.events(None, recovered), stop)
        else:
            told = as_they_are_taken(
                story.events(start_ms, recovered), stop, lambda: publisher.queued, MOST_QUEUED
            )
        for event in told:
            publisher.publish(event)
            counts[KINDS[type(event)]] += 1
        publisher.flush(FLUSH_SECONDS)
    return counts, publisher.dropped


def _report(counts: Counter[str], dropped: dict[str, int], json: bool, stream: TextIO) -> None:
    if json:
        said = msgspec.json.encode({"published": dict(sorted(counts.items())), "dropped": dropped}).decode()
    else:
        told = ", ".join(f"{count:,} x {kind}" for kind, count in sorted(counts.items()))
        said = f"published {told or 'nothing'}"
    print(said, file=stream)
    for reason, count in dropped.items():
        print(f"lost {count:,}: {reason}", file=sys.stderr)
