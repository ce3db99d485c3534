"""Everything at once on this machine: broker, database, all roles and a simulated chat app.

Broker and database are embedded; each role is the process it is in production. What it shows is read from
the topics, as your own consumers would.
"""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event as Flag
from threading import Thread

import msgspec
import structlog
from rich.console import Console
from rich.live import Live

from drift_aware.dashboards import demo_page
from drift_aware.dashboards.board import Board, render
from drift_aware.dashboards.children import Child
from drift_aware.dashboards.demo_page import DemoPage
from drift_aware.dashboards.person import Person
from drift_aware.schema.alerts import Action, Alert, Readings
from drift_aware.schema.errors import DriftAwareError, SettingsError
from drift_aware.schema.settings import ENVIRONMENT, PREFIX, Settings
from drift_aware.schema.topics import ACTIONS, ALERTS, READINGS, Topic
from drift_aware.sql import migrate, store
from drift_aware.sql.embedded import EmbeddedPostgres
from drift_aware.streams.embedded import EmbeddedBroker, every_topic
from drift_aware.streams.reader import follow
from drift_aware.streams.stage import Input

_log = structlog.get_logger(__name__)

_json = msgspec.json.Encoder().encode

FOLDER = Path(".drift-aware")
PARTITIONS = 2
RATE = 100
# Twenty calm seconds: enough for every baseline below.
CHANGE_AT = 2000
# Shorter than in production, so that a minute shows what an hour would.
SETTINGS = {
    "KAFKA__PARTITIONS": PARTITIONS,
    "KAFKA__SESSION_TIMEOUT_SECONDS": 6,
    "PANE_SECONDS": 1,
    "ALLOWED_LATENESS_SECONDS": 1,
    "WINDOW_SECONDS": 18,
    "BASELINE__EVENTS": 1000,
    "BASELINE__FEEDBACK": 200,
    "BASELINE__EVALUATIONS": 130,
}
# With --approve: what stands for the training of a model, which here succeeds at once.
APPROVING = {
    "ACTIONS__DRY_RUN": False,
    "ACTIONS__COMMAND": _json({"kind": "tune", "run": [sys.executable, "-c", "print('{}')"]}).decode(),
}
# The simulated application that does well again once somebody has acted.
_RECOVERS = {"drift": "recovery"}
_TICK_SECONDS = 0.5
_MARK = "drift-aware-demo"

_readings = msgspec.json.Decoder(Readings).decode
_alert = msgspec.json.Decoder(Alert).decode
_action = msgspec.json.Decoder(Action).decode


class Options(msgspec.Struct, frozen=True):
    """What ``drift-aware demo`` can be told.

    Attributes:
        seconds: how long; None runs until Ctrl-C.
        lines: firing alerts as JSON lines on stdout, in place of a screen.
        approve: whether the demo plays the person who approves the tuning; actions come as lines, too.
        browse: whether to open the page in a browser.
    """

    scenario: str
    seconds: float | None
    seed: int
    lines: bool
    approve: bool = False
    browse: bool = False


def run(options: Options, stop: Flag) -> None:
    """Run the demo until its time is up or ``stop`` is set; leaves nothing running.

    Raises:
        DriftAwareError: a part does not start, or ends by itself.
    """
    folder = _empty(FOLDER)
    board = Board()
    started = time.monotonic()
    with ExitStack() as stack:
        show = stack.enter_context(_screen(options))
        show(board, 0.0, "starting broker and database …")
        broker = stack.enter_context(EmbeddedBroker(every_topic(PARTITIONS)))
        # In a temporary folder: this one may be too deep for a socket, or closed to PostgreSQL's own user.
        database = stack.enter_context(EmbeddedPostgres())
        browse = demo_page.browser() if options.browse else None
        page = DemoPage(folder / "logs" / "serve.log", folder / "page.url", browse)
        environment = _environment(broker.bootstrap, database.url, page.tokens, approve=options.approve)
        connection = stack.enter_context(store.connect(database.url, "demo"))
        migrate.migrate(connection)
        children = stack.enter_context(_children(options, environment, folder))
        failures = stack.enter_context(_followed(options, board, broker.bootstrap))
        message = (
            f"scenario {options.scenario}: it changes after {CHANGE_AT / RATE:.0f} s; Ctrl-C stops it all"
        )
        person = Person() if options.approve else None
        while not stop.wait(_TICK_SECONDS):
            for child in children:
                child.check()
            for failure in failures:
                raise failure
            page.look()
            board.rows = store.count_rows(connection)
            elapsed = time.monotonic() - started
            if person is not None:
                person.look(connection, elapsed)
            show(board, elapsed, f"{message}\n{page.address or ''}")
            if options.seconds is not None and elapsed >= options.seconds:
                break
    _log.info("the demo is over", alerts=len(board.alerts), actions=len(board.actions), rows=board.rows)


@contextmanager
def _children(options: Options, environment: dict[str, str], folder: Path) -> Iterator[list[Child]]:
    """Every role and the chat app; at the end the app goes first and the worker last."""
    # Somebody acts, so the application does well again.
    scenario = _RECOVERS.get(options.scenario, options.scenario) if options.approve else options.scenario
    simulate = ("simulate", "--scenario", scenario, "--seed", str(options.seed))
    pace = ("--rate", str(RATE), "--change-at", str(CHANGE_AT))
    logs = folder / "logs"
    logs.mkdir()
    children: list[Child] = []
    verbs = (("worker",), ("baseline", "watch"), ("persist",), ("act",), demo_page.ARGUMENTS)
    with ExitStack() as stack:
        for arguments in (*verbs, (*simulate, *pace)):
            child = Child(arguments, environment, logs)
            stack.callback(child.stop)
            children.append(child)
        yield children


@contextmanager
def _followed(options: Options, board: Board, bootstrap: str) -> Iterator[list[DriftAwareError]]:
    """Put what is published on the board; what goes wrong in the threads is in the list."""
    failures: list[DriftAwareError] = []
    stop = Flag()
    settings = Settings(kafka={"bootstrap_servers": bootstrap})

    def follower(topic: Topic, seen: Callable[[Input], None]) -> Thread:
        def read() -> None:
            try:
                follow(settings, topic.name, stop, seen)
            except DriftAwareError as error:
                failures.append(error)

        return Thread(target=read, name=f"demo {topic.name}")

    def read_alert(record: Input) -> None:
        alert = _alert(record.value or b"")
        if board.alert(alert) and alert.status == "firing" and options.lines:
            _print(alert)

    def read_action(record: Input) -> None:
        action = _action(record.value or b"")
        if board.act(action) and options.lines and options.approve:
            _print(action)

    threads = [
        follower(READINGS, lambda record: board.read(_readings(record.value or b""))),
        follower(ALERTS, read_alert),
        follower(ACTIONS, read_action),
    ]
    for thread in threads:
        thread.start()
    try:
        yield failures
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@contextmanager
def _screen(options: Options) -> Iterator[Callable[[Board, float, str], None]]:
    """How progress is shown: a live screen for a person, nothing beside the JSON lines for a machine."""
    if options.lines:
        yield lambda *_: None
        return
    console = Console()
    with Live(console=console, auto_refresh=False, screen=True) as live:
        yield lambda board, elapsed, message: live.update(render(board, elapsed, message), refresh=True)


def _print(line: Alert | Action) -> None:
    sys.stdout.write(_json(line).decode() + "\n")
    sys.stdout.flush()


def _environment(bootstrap: str, database_url: str, tokens: str, *, approve: bool = False) -> dict[str, str]:
    """This process's environment without the settings of another installation in it."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in ENVIRONMENT and not name.startswith(PREFIX)
    }
    settings = SETTINGS | {"API__TOKENS": tokens} | (APPROVING if approve else {})
    ours = {PREFIX + name: str(value) for name, value in settings.items()}
    return (
        inherited
        | ours
        | {
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "DATABASE_URL": database_url,
            "PROMETHEUS_PORT": "0",
            "LOG_LEVEL": "INFO",
        }
    )


def _empty(folder: Path) -> Path:
    """The demo's own folder, without what an earlier demo left there.

    Raises:
        SettingsError: there is a folder of that name that is not ours.
    """
    mark = folder / _MARK
    if folder.exists() and not mark.exists():
        raise SettingsError(f"{folder.absolute()} is not a demo's folder; run the demo somewhere else")
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    mark.write_text("Logs of `drift-aware demo`; removed by the next one.\n")
    return folder
