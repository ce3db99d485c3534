"""What the terminal shows."""

import io

import msgspec
from rich.console import Console

from drift_aware.dashboards.board import Board, render
from drift_aware.schema.alerts import Action, Alert, Reading, Readings
from rig_events import alert


def shown(board: Board) -> str:
    console = Console(width=160, height=60, record=True, file=io.StringIO())
    console.print(render(board, 12.0, "a message"))
    return console.export_text()


def readings(start: int, *each: Reading, **totals: int) -> Readings:
    return Readings(segment="all", start=start, end=start + 1000, totals=totals, readings=list(each))


def reading(detector: str = "limit", fired: bool = False, score: float = 0.01) -> Reading:
    return Reading(
        metric="refusal_rate",
        detector=detector,
        state="firing" if fired else "ok",
        events=100,
        current=score,
        baseline_value=0.03,
        score=score,
        threshold=0.05,
        fired=fired,
    )


WARMING_UP = Reading(
    metric="interaction", detector="baseline", state="warming_up", events=7, message="warming up 7/1000"
)


def action(status: str, revision: int) -> Action:
    values = {
        "id": "x",
        "revision": revision,
        "action": "tune",
        "status": status,
        "alert_id": "a",
        "segment": "all",
        "metric": "refusal_rate",
        "severity": "critical",
        "ts": 1,
        "dry_run": True,
        "reason": "it drifted",
    }
    return msgspec.convert(values, Action)


def test_an_empty_board_is_calm() -> None:
    text = shown(Board())
    assert "no alerts so far" in text
    assert "no actions proposed so far" in text


def test_the_rate_is_of_event_time() -> None:
    board = Board()
    board.read(readings(0, interaction=60, embedding=40))
    board.read(readings(1000, interaction=100))
    assert "100 events/s" in shown(board)
    assert "200 counted" in shown(board)


def test_a_firing_reading_says_drift_and_a_second_opinion_is_left_out() -> None:
    board = Board()
    board.read(readings(0, reading(fired=True, score=0.12), reading("adwin")))
    assert "DRIFT" in shown(board)
    assert "adwin" not in shown(board)


def test_warming_up_goes_when_it_is_over() -> None:
    board = Board()
    board.read(readings(0, WARMING_UP))
    assert "warming up 7/1000" in shown(board)
    board.read(readings(1000, reading()))
    assert "warming up" not in shown(board)


def test_only_a_later_revision_of_an_alert_is_news() -> None:
    board, first = Board(), alert(1)
    second: Alert = msgspec.structs.replace(first, revision=2, status="resolved", summary="calm again")
    assert board.alert(first)
    assert board.alert(second)
    assert not board.alert(first)
    assert "resolved" in shown(board)
    assert "calm again" in shown(board)


def test_an_action_is_shown_at_its_latest_revision() -> None:
    board = Board()
    board.act(action("proposed", 2))
    board.act(action("withheld", 1))
    assert "tune proposed" in shown(board)
