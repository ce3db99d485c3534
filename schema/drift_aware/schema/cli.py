"""The ``drift-aware`` command: finds what each installed role can do and runs it.

Exit codes: 0 fine, 1 failed, 2 misuse. Results go to stdout, logs to stderr.
"""

import os
import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer


def main() -> None:
    """Run the command line."""
    # Our matrices are small. On a busy machine numpy's threads wait for each other, and what is done in a
    # millisecond takes eighty. It is read when numpy is first imported; a value of your own stands.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        import structlog  # noqa: F401  (part of the same extra, imported where it is used)
        import typer  # noqa: F401
    except ModuleNotFoundError:
        sys.exit("the command line is an extra: pip install 'drift-aware[cli]', or [all] for every role")
    from drift_aware.schema.errors import DriftAwareError

    try:
        application()()
    except DriftAwareError as error:
        sys.stderr.write(f"drift-aware: {error}\n")
        sys.exit(error.exit_code)


def application() -> "typer.Typer":
    """The command with every verb of the roles that are installed."""
    import typer

    app = typer.Typer(
        name="drift-aware",
        help="Sees what changes in an LLM application, says since when, and proposes what to do.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for entry in sorted(entry_points(group="drift_aware.verbs"), key=lambda entry: entry.name):
        try:
            register = entry.load()
        except ModuleNotFoundError:
            continue  # the role's extra is not installed
        register(app)
    return app


if __name__ == "__main__":
    main()
