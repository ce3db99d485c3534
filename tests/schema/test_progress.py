"""A long job says how far it is, in the form that fits where it is run."""

import io

from rich.console import Console
from structlog.testing import capture_logs

from drift_aware.schema.progress import EVERY_SECONDS, Advance


def test_on_a_terminal_there_is_a_bar_and_no_log() -> None:
    screen = io.StringIO()
    with (
        capture_logs() as logs,
        Advance("replaying", console=Console(file=screen, force_terminal=True)) as job,
    ):
        job.reach(1, None)
        job.reach(50, 100)
    assert "replaying" in screen.getvalue()
    assert "50 %" in screen.getvalue()
    assert logs == []


def test_elsewhere_a_line_now_and_then_says_how_much_is_done() -> None:
    now, screen = [0.0], io.StringIO()
    with capture_logs() as logs, Advance("fitting", lambda: now[0], Console(file=screen)) as job:
        for second in range(25):
            now[0] = float(second)
            job.reach(second * 10, 1000)
        now[0] += EVERY_SECONDS
        job.reach(7, None)
    assert screen.getvalue() == ""
    assert [(line["event"], line["done"], line["of"], line["percent"]) for line in logs] == [
        ("fitting", 100, 1000, 10),
        ("fitting", 200, 1000, 20),
        ("fitting", 7, None, None),
    ]
