"""``demo``, ``serve`` and ``token``."""

import secrets
import sys
from typing import Annotated

import msgspec
import typer
from pydantic import ValidationError

from drift_aware.dashboards import demo as demo_module
from drift_aware.producers.simulate.scenarios import SCENARIOS
from drift_aware.schema import logs
from drift_aware.schema.api import Token, fingerprint
from drift_aware.schema.errors import SettingsError
from drift_aware.schema.verbs import ConfigOption, JsonOption, start, stop_on_signals


def register(app: typer.Typer) -> None:
    """Add this role's verbs."""
    app.command("demo")(demo)
    app.command("serve")(serve)
    app.command("token")(token)


def serve(
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option(help="Where to listen; else the setting api.host.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Else PORT, or the setting api.port; 0 takes any.")
    ] = None,
) -> None:
    """Answer over HTTP what the database knows; Ctrl-C or SIGTERM stops it.

    Without tokens it listens on 127.0.0.1 only, everybody there may read, and nobody may change anything.
    """
    # Half a second that no other verb should wait for.
    from drift_aware.dashboards.api import server

    settings = start(config)
    # The server puts these back when it has stopped, and then raises the signal again: this makes it exit 0.
    stop_on_signals()
    server.run(settings, host or settings.api.host, settings.api.port if port is None else port)


def token(
    name: Annotated[str, typer.Argument(help="Who gets it; shows in logs and in the ledger.")],
    act: Annotated[
        bool, typer.Option("--act", help="It may also propose actions and decide about them.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Make a token for the API, and show it once, with what to write into the settings.

    The settings hold only its SHA-256, so that they may be read by whoever may not use the token.
    """
    secret = secrets.token_urlsafe(32)
    digest = fingerprint(secret).hex()
    try:
        entry = Token(name=name, sha256=digest, scopes=["read", "act"] if act else ["read"])
    except ValidationError:
        raise SettingsError(
            "the name of a token is up to 64 letters, digits, dots, underscores and hyphens"
        ) from None
    shown = {"name": entry.name, "token": secret, "sha256": digest, "scopes": entry.scopes}
    if json:
        print(msgspec.json.encode(shown).decode())
    else:
        print(f"token, shown only now: {secret}\n\nfor the setting api.tokens:")
        print(f"  - {{name: {entry.name}, sha256: {digest}, scopes: [{', '.join(entry.scopes)}]}}")


def demo(
    scenario: Annotated[str, typer.Option(help=f"One of {', '.join(SCENARIOS)}.")] = "drift",
    seconds: Annotated[float | None, typer.Option(min=1, help="How long; else until Ctrl-C.")] = None,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 7,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the page.")] = False,
    approve: Annotated[
        bool, typer.Option("--approve", help="Approve the tuning that is proposed, and see whether it helps.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show everything at work on this machine, with an embedded broker and database: nothing to set up.

    The page of it opens in a browser, and its address stands on the screen and in .drift-aware/page.url.

    With --json, or when the output is not a terminal, firing alerts come as JSON lines on stdout; with
    --approve every step in the life of an action, too, and scenario drift ends when the model is tuned.
    """
    lines = json or not sys.stdout.isatty()
    logs.configure("INFO" if lines else "WARNING")
    if scenario not in SCENARIOS:
        raise SettingsError(f"no scenario {scenario}; there are {', '.join(SCENARIOS)}")
    browse = not lines and not no_browser
    demo_module.run(demo_module.Options(scenario, seconds, seed, lines, approve, browse), stop_on_signals())
