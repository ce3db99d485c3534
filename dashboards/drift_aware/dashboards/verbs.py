"""``demo``."""

import sys
from typing import Annotated

import typer

from drift_aware.dashboards import demo as demo_module
from drift_aware.producers.simulate.scenarios import SCENARIOS
from drift_aware.schema import logs
from drift_aware.schema.errors import SettingsError
from drift_aware.schema.verbs import JsonOption, stop_on_signals


def register(app: typer.Typer) -> None:
    """Add this role's verbs."""
    app.command("demo")(demo)


def demo(
    scenario: Annotated[str, typer.Option(help=f"One of {', '.join(SCENARIOS)}.")] = "drift",
    seconds: Annotated[float | None, typer.Option(min=1, help="How long; else until Ctrl-C.")] = None,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 7,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Open no browser.")] = False,
    approve: Annotated[
        bool, typer.Option("--approve", help="Approve the tuning that is proposed, and see whether it helps.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show everything at work on this machine, with an embedded broker and database: nothing to set up.

    With --json, or when the output is not a terminal, firing alerts come as JSON lines on stdout; with
    --approve every step in the life of an action, too, and scenario drift ends when the model is tuned.
    """
    del no_browser  # there is no page yet that a browser could open; scripts may say it already
    lines = json or not sys.stdout.isatty()
    logs.configure("INFO" if lines else "WARNING")
    if scenario not in SCENARIOS:
        raise SettingsError(f"no scenario {scenario}; there are {', '.join(SCENARIOS)}")
    demo_module.run(demo_module.Options(scenario, seconds, seed, lines, approve), stop_on_signals())
