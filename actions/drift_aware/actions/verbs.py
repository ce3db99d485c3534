"""``act``, ``actions list`` and ``actions show``."""

from typing import Annotated

import msgspec
import typer

from drift_aware.actions import ledger, runner
from drift_aware.actions.executors.notify.keeping import keeping
from drift_aware.actions.outbox import Outbox
from drift_aware.schema.alerts import ActionStatus
from drift_aware.schema.verbs import ConfigOption, JsonOption, start, stop_on_signals
from drift_aware.sql import store
from drift_aware.sql.consumer import ExactlyOnceConsumer
from drift_aware.sql.verbs import SkipLostOption


def register(app: typer.Typer) -> None:
    """Add this role's verbs."""
    group = typer.Typer(help="The ledger of actions.", no_args_is_help=True)
    group.command("list")(list_actions)
    group.command("show")(show)
    app.add_typer(group, name="actions")
    app.command("act")(act)


def act(config: ConfigOption = None, skip_lost: SkipLostOption = False) -> None:
    """Turn alerts into proposed actions; Ctrl-C or SIGTERM stops it.

    Every action is entered in the ledger and published to drift.actions.v1. Nothing is carried out: this
    release proposes, and nothing leaves the machine.
    """
    settings = start(config)
    outbox = Outbox(settings)
    work = runner.Runner(settings.actions, outbox)
    consumer = ExactlyOnceConsumer(settings, runner.NAME, runner.TOPICS, work, skip_lost=skip_lost)
    stop = stop_on_signals()
    try:
        with keeping(settings, stop):
            consumer.run(stop)
    finally:
        outbox.close()


def list_actions(
    config: ConfigOption = None,
    json: JsonOption = False,
    status: Annotated[ActionStatus | None, typer.Option(help="Only those that stand there.")] = None,
) -> None:
    """Show the latest 1,000 actions, newest first."""
    settings = start(config)
    with store.connect(settings.require_database_url(), "actions") as connection:
        actions = ledger.actions(connection, status)
    for action in actions:
        if json:
            print(msgspec.json.encode(action).decode())
        else:
            print(f"{action.id}  {action.action:8} {action.status:11} {action.segment}  {action.reason}")


def show(action_id: Annotated[str, typer.Argument(metavar="ID")], config: ConfigOption = None) -> None:
    """Show one action and the alert it answers, as JSON."""
    settings = start(config)
    with store.connect(settings.require_database_url(), "actions") as connection:
        entry = ledger.find(connection, action_id)
    print(msgspec.json.format(msgspec.json.encode(entry), indent=2).decode())
