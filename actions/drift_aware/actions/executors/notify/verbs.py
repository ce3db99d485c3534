"""``notify``: which channels there are, and whether messages arrive."""

import time
from dataclasses import replace
from typing import Annotated
from uuid import uuid4

import msgspec
import typer

from drift_aware.actions.errors import ActionFailed, Unknown
from drift_aware.actions.executors.notify.channel import Channel
from drift_aware.actions.executors.notify.channels import configured, example
from drift_aware.actions.executors.notify.story import Story
from drift_aware.schema.errors import SettingsError, Unreachable
from drift_aware.schema.verbs import ConfigOption, JsonOption, start


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("notify")(notify)


def notify(
    config: ConfigOption = None,
    test: Annotated[bool, typer.Option("--test", help="Send a message that says it is a test.")] = False,
    channel: Annotated[str | None, typer.Option(help="Only this one, as in slack.")] = None,
    json: JsonOption = False,
) -> None:
    """Show who is told of alerts; with --test, tell them something made up.

    Exit code 1 if a message does not go out.
    """
    settings = start(config)
    chosen = _chosen(configured(settings.notify), channel)
    failed = False
    for each in chosen:
        wrong = _try(each, settings.notify.page_url) if test else None
        failed |= wrong is not None
        if json:
            row = {"channel": each.name, "where": each.plan(), "sent": test and not wrong, "error": wrong}
            print(msgspec.json.encode(row).decode())
        else:
            said = wrong or ("sent" if test else each.plan())
            print(f"{'FAILED' if wrong else 'ok    '}  {each.name}: {said}")
    raise typer.Exit(1 if failed else 0)


def _chosen(channels: list[Channel], name: str | None) -> list[Channel]:
    found = [each for each in channels if name in (None, each.name)]
    if found:
        return found
    there = ", ".join(each.name for each in channels) or "none"
    raise SettingsError(
        f"no channel {name or 'at all'}; the section notify has {there}; docs/notify.md says what it can have"
    )


def _try(channel: Channel, page_url: str | None) -> str | None:
    """What is wrong; None if the message went out. What opens an incident closes it as well."""
    story = _story(page_url)
    try:
        handle = channel.send(story, str(uuid4()))
        if channel.incident:
            over = [msgspec.structs.replace(alert, status="resolved") for alert in story.alerts]
            channel.update(replace(story, alerts=over), str(uuid4()), handle)
    except (ActionFailed, Unknown, Unreachable) as error:
        return str(error)
    return None


def _story(page_url: str | None) -> Story:
    """The example as of now, by an id of its own, so that one test is not taken for another."""
    story, now = example(page_url=page_url), int(1000 * time.time())
    lead = f"test-{uuid4()}"
    alerts = [msgspec.structs.replace(each, id=lead, onset=now, ts=now) for each in story.alerts]
    return replace(story, lead=lead, alerts=alerts)
