"""What the demo has seen so far, and how a terminal shows it."""

from msgspec import Struct, field
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from drift_aware.schema.alerts import Action, Alert, Reading, Readings

_SHOWN = 6
_COLOURS = {"critical": "bold red", "warning": "yellow", "info": "cyan"}
_SECOND_OPINION = "adwin"
_WARMING_UP = "baseline"


class Board(Struct):
    """The latest of everything.

    Attributes:
        readings: segment to the latest of each of its readings.
        alerts: id to its latest revision.
        actions: the same.
        events: how many events closed panes have held, all traffic.
        span_seconds: how much event time those panes cover.
        rows: how many rows Postgres has.
    """

    readings: dict[str, dict[tuple[str, str, str], Reading]] = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)
    actions: dict[str, Action] = field(default_factory=dict)
    events: int = 0
    span_seconds: float = 0.0
    rows: int = 0

    def read(self, readings: Readings) -> None:
        """Take the readings of a closed pane."""
        latest = self.readings.setdefault(readings.segment, {})
        for key in [key for key in latest if key[1] == _WARMING_UP]:
            del latest[key]  # what still warms up says so again
        for reading in readings.readings:
            latest[reading.metric, reading.detector, reading.channel or ""] = reading
        if readings.segment == "all" and readings.totals:
            self.events += sum(readings.totals.values())
            self.span_seconds += (readings.end - readings.start) / 1000

    def alert(self, alert: Alert) -> bool:
        """Take an alert; whether it is news."""
        known = self.alerts.get(alert.id)
        if known is not None and known.revision >= alert.revision:
            return False
        self.alerts[alert.id] = alert
        return True

    def act(self, action: Action) -> bool:
        """Take an action, unless this revision or a later one is known; whether it was news."""
        known = self.actions.get(action.id)
        if known is not None and known.revision >= action.revision:
            return False
        self.actions[action.id] = action
        return True


def render(board: Board, elapsed_seconds: float, message: str) -> RenderableType:
    """The whole screen."""
    rate = board.events / board.span_seconds if board.span_seconds else 0.0
    head = Text.assemble(
        ("Drift-Aware ", "bold"),
        f"{elapsed_seconds:5.0f} s   {rate:,.0f} events/s   {board.events:,} counted   "
        f"{board.rows:,} rows in Postgres\n",
        (message, "dim"),
    )
    # What matters most comes first: a small terminal cuts off the end.
    return Group(head, _alerts(board), _actions(board), _segments(board))


def _segments(board: Board) -> Table:
    table = Table("segment", "metric", "now", "baseline", "score", "threshold", "state")
    for segment in sorted(board.readings):
        for (metric, detector, _), reading in sorted(board.readings[segment].items()):
            if detector != _SECOND_OPINION:
                table.add_row(segment, f"{metric} ({detector})", *_numbers(reading), _state(reading))
    return table


def _numbers(reading: Reading) -> list[str]:
    values = (reading.current, reading.baseline_value, reading.score, reading.threshold)
    return ["" if value is None else f"{value:.3g}" for value in values]


def _state(reading: Reading) -> Text:
    if reading.fired:
        return Text("DRIFT", "bold red")
    return Text("ok", "green") if reading.state == "ok" else Text(reading.message or reading.state, "dim")


def _alerts(board: Board) -> RenderableType:
    if not board.alerts:
        return Text("no alerts so far", "green")
    table = Table(title="alerts", show_header=False, expand=True)
    newest = sorted(board.alerts.values(), key=lambda alert: (alert.paging, alert.ts), reverse=True)
    for alert in newest[:_SHOWN]:
        firing = alert.status == "firing"
        word = Text(
            alert.severity if firing else alert.status, _COLOURS[alert.severity] if firing else "green"
        )
        table.add_row(word, alert.summary)
    return table


def _actions(board: Board) -> RenderableType:
    if not board.actions:
        return Text("no actions proposed so far", "dim")
    table = Table(title="actions (dry run)", show_header=False, expand=True)
    newest = sorted(
        board.actions.values(), key=lambda action: (action.status == "proposed", action.ts), reverse=True
    )
    for action in newest[:_SHOWN]:
        table.add_row(Text(f"{action.action} {action.status}", "bold"), action.segment, action.reason)
    return table
