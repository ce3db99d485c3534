"""``act``, ``embed``, and ``actions`` with what a person does about them."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import msgspec
import psycopg
import typer

from drift_aware.actions import answers, ledger, runner
from drift_aware.actions.embedding.verb import embed
from drift_aware.actions.executors.notify.keeping import keeping
from drift_aware.actions.foreground import carrier, record, roll_back
from drift_aware.actions.installed import installed
from drift_aware.actions.lanes import lanes
from drift_aware.actions.outbox import Outbox
from drift_aware.actions.spending import Spending
from drift_aware.actions.steps import Step
from drift_aware.actions.verifying import Verifier
from drift_aware.schema.alerts import Action, ActionStatus
from drift_aware.schema.errors import SettingsError
from drift_aware.schema.metrics import ActMetrics
from drift_aware.schema.metrics.metric import make_registry
from drift_aware.schema.metrics.served import served
from drift_aware.schema.verbs import ConfigOption, JsonOption, SkipLostOption, start, stop_on_signals
from drift_aware.sql.consumer import ExactlyOnceConsumer
from drift_aware.sql.errors import DatabaseUnreachable

Id = Annotated[str, typer.Argument(metavar="ID")]
ByOption = Annotated[str | None, typer.Option(help="Who decides; without it, the user of this machine.")]
NoteOption = Annotated[str, typer.Option(help="Why; it is kept with the action.")]


def register(app: typer.Typer) -> None:
    """Add this role's verbs."""
    group = typer.Typer(help="The ledger of actions.", no_args_is_help=True)
    group.command("list")(list_actions)
    for verb in (show, approve, reject, run, rollback, settle):
        group.command(verb.__name__)(verb)
    app.add_typer(group, name="actions")
    app.command("act")(act)
    app.command("embed")(embed)


def act(
    config: ConfigOption = None,
    prometheus_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Serve metrics on this port; 0 serves none.")
    ] = 0,
    skip_lost: SkipLostOption = False,
) -> None:
    """Turn alerts into actions, carry out what is approved, and see whether it has helped; Ctrl-C stops it.

    Every action is entered in the ledger and published to drift.actions.v1. While actions.dry_run is on,
    which it is at first, carrying out means saying what would be done.
    """
    settings = start(config)
    executors = installed(settings)
    outbox = Outbox(settings)
    work = runner.Runner(settings.actions, outbox)
    registry = make_registry()
    metrics = ActMetrics(registry)
    consumer = ExactlyOnceConsumer(
        settings,
        runner.NAME,
        runner.TOPICS,
        work,
        skip_lost=skip_lost,
        retried=lambda cause: metrics.retries.labels(cause).inc(),
    )
    registry.register(Spending(lambda: record(settings)))
    stop = stop_on_signals()
    try:
        consumer.knock()
        with (
            served(prometheus_port, registry),
            keeping(settings, stop),
            lanes(settings, executors, stop, Verifier(settings, executors)) as ended,
        ):
            consumer.run(stop)
    finally:
        outbox.close()
    if ended:
        raise ended[0]


def list_actions(
    config: ConfigOption = None,
    json: JsonOption = False,
    status: Annotated[ActionStatus | None, typer.Option(help="Only those that stand there.")] = None,
) -> None:
    """Show the latest 1,000 actions, newest first."""
    with record(start(config)) as connection:
        actions = ledger.actions(connection, status)
    for action in actions:
        if json:
            _print_json(action)
        else:
            print(f"{action.id}  {action.action:8} {action.status:11} {action.segment}  {action.reason}")


def show(action_id: Id, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show one action: the alert it answers, its steps, what it cost, and its receipt."""
    with record(start(config)) as connection:
        entry = ledger.find(connection, action_id)
    if json:
        _print_json(entry)
        return
    action = entry.action
    print(f"{action.action} {action.id}: {action.status}{' (dry run)' if action.dry_run else ''}")
    print(f"reason    {action.reason}")
    if (alert := entry.alert) is not None:
        print(f"alert     {alert.severity}, {alert.segment}: {alert.summary}")
    else:
        print(f"segment   {action.segment}")
    if entry.approved_by:
        print(f"approved  by {entry.approved_by}, {entry.approved_at:%Y-%m-%d %H:%M:%S %Z}")
    elif entry.expires_at and action.status == "proposed":
        print(f"expires   {entry.expires_at:%Y-%m-%d %H:%M:%S %Z}")
    if (effect := action.expected) is not None:
        print(f"expected  {effect.metric} {effect.direction} from {effect.current:g} to {effect.target:g}")
    for step in entry.steps:
        print(f"step      {_step(step)}")
    print(f"cost      {entry.cost_usd:.4f} USD")
    for name, value in (action.receipt or {}).items():
        print(f"receipt   {name}: {value}")


def approve(
    action_id: Id,
    by: ByOption = None,
    note: NoteOption = "",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Let a proposed action be carried out, or one that has failed once more."""
    with record(start(config)) as connection:
        _tell(answers.approve(connection, action_id, _who(by), note), json)


def reject(
    action_id: Id,
    by: ByOption = None,
    note: NoteOption = "",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Refuse an action that has not begun."""
    with record(start(config)) as connection:
        _tell(answers.reject(connection, action_id, _who(by), note), json)


def run(action_id: Id, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Carry out one approved action here and now, at any hour, and show how far it is.

    Exit code 1 if it fails, or if a person has to look whether a step was done.
    """
    settings = start(config)
    stop = stop_on_signals()
    with record(settings) as connection:
        worker = carrier(settings, connection, action_id, stop.is_set)
        with _told_in_a_line():
            worker.claimant.take(connection, action_id)
            action = worker.carry(action_id)
    _tell(action, json)
    if action.status != "succeeded":
        raise typer.Exit(1)


def rollback(
    action_id: Id,
    by: ByOption = None,
    note: NoteOption = "",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Take back what an action has done."""
    settings = start(config)
    with record(settings) as connection, _told_in_a_line():
        action = roll_back(settings, connection, action_id, _who(by), note)
    _tell(action, json)


def settle(
    action_id: Id,
    step: Annotated[str, typer.Argument(metavar="STEP")],
    done: Annotated[bool, typer.Option("--done/--not-done", help="Whether its effect is there.")],
    by: ByOption = None,
    note: NoteOption = "",
    result: Annotated[str, typer.Option(help="What the step gave, as JSON, if later steps need it.")] = "{}",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Say whether a step of unknown outcome was done; the action is carried on."""
    settings = start(config)
    try:
        gave = msgspec.json.decode(result, type=dict)
    except msgspec.MsgspecError:
        raise SettingsError("--result must be a JSON object") from None
    with record(settings) as connection:
        who = _who(by)
        _tell(answers.settle(connection, action_id, step, who, done=done, note=note, result=gave), json)


def _who(by: str | None) -> str:
    try:
        return by or getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user may have no name
        raise SettingsError("say who decides: --by NAME") from None


@contextmanager
def _told_in_a_line() -> Iterator[None]:
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError):
        raise DatabaseUnreachable(
            "the database went away; the action is left where it is, and taken up by act or by this command "
            "again"
        ) from None


def _step(step: Step) -> str:
    took = f", {(step.ended_at - step.started_at).total_seconds():.1f} s" if step.ended_at else ""
    settled = f", settled by {step.settled_by}" if step.settled_by else ""
    cost = f", {step.cost_usd:.4f} USD" if step.cost_usd else ""
    return f"{step.step}: {step.status}{took}{cost}{settled}"


def _tell(action: Action, json: bool) -> None:
    if json:
        _print_json(action)
    else:
        print(f"{action.action} {action.id} {action.status}: {action.reason}")


def _print_json(value: object) -> None:
    print(msgspec.json.encode(value).decode())
