"""``topics`` and ``check``."""

import signal
import threading
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from drift_aware.schema import logs, topics
from drift_aware.schema.settings import Settings, load

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="YAML file with settings; the environment overrides it.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")]
SkipLostOption = Annotated[
    bool,
    typer.Option("--skip-lost", help="Go on although Kafka has deleted records that were not read yet."),
]


def start(config: Path | None) -> Settings:
    """What every verb does first: read the settings, set up the logs."""
    settings = load(config)
    logs.configure(settings.log_level)
    return settings


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set, so that the work in hand can be finished."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def register(app: typer.Typer) -> None:
    """Add this role's verbs."""
    group = typer.Typer(help="The Kafka topics.", no_args_is_help=True)
    group.command("create")(create)
    group.command("list")(list_topics)
    app.add_typer(group, name="topics")
    app.command("check")(check)


def create(config: ConfigOption = None) -> None:
    """Create the topics that are missing; leave the others as they are."""
    settings = start(config)
    created = topics.create(settings)
    for name in created:
        print(f"created {name}")
    if not created:
        print(f"all {len(topics.TOPICS)} topics exist")


def list_topics(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show every topic, what it is keyed by, and whether the broker has it."""
    settings = start(config)
    there = topics.existing(settings)
    for topic in topics.TOPICS:
        partitions = there.get(topic.name)
        if json:
            print(msgspec.json.encode(msgspec.structs.asdict(topic) | {"partitions": partitions}).decode())
        else:
            print(f"{topic.name:36} {topic.cleanup:8} {partitions or 'missing':>8}  key: {topic.key}")


def check(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Ask whether everything is reachable and sane; every failure says what to do."""
    settings = start(config)
    failed = False
    for entry in sorted(entry_points(group="drift_aware.checks"), key=lambda entry: entry.name):
        try:
            ask = entry.load()
        except ModuleNotFoundError:
            continue  # the role's extra is not installed
        for result in ask(settings):
            failed |= not result.ok
            if json:
                print(msgspec.json.encode(result).decode())
            else:
                print(f"{'ok    ' if result.ok else 'FAILED'}  {result.name}: {result.message}")
    raise typer.Exit(1 if failed else 0)
