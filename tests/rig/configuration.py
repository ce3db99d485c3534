"""Settings and environments for tests, with nothing of the desk they run at in them."""

import os
from collections.abc import MutableMapping
from typing import Any

from drift_aware.schema.settings import ENVIRONMENT, PREFIX, Settings

PARTITIONS = 4
# The shortest the settings allow, so that a killed consumer is forgotten soon.
_SESSION_TIMEOUT_SECONDS = 6


def forget_desk(variables: MutableMapping[str, str]) -> None:
    """Remove every variable that our settings read."""
    for name in list(variables):
        if name in ENVIRONMENT or name.startswith(PREFIX):
            del variables[name]


def make_settings(bootstrap: str | None = None, database_url: str | None = None, **values: Any) -> Settings:
    """Settings as a test needs them; ``values`` are further ones, sections as dicts.

    >>> make_settings("localhost:9092", limits={"min_samples": 5}).limits.min_samples
    5
    """
    kafka = {
        "bootstrap_servers": bootstrap,
        "partitions": PARTITIONS,
        "session_timeout_seconds": _SESSION_TIMEOUT_SECONDS,
    } | values.pop("kafka", {})
    # The events of tests have times of long ago.
    retention = {"automatic": False} | values.pop("retention", {})
    sections = {"kafka": kafka, "retention": retention}
    return Settings(**(sections | {"database_url": database_url, "prometheus_port": 0} | values))


def environment(
    bootstrap: str | None = None, database_url: str | None = None, **values: object
) -> dict[str, str]:
    """The same for a child process; ``values`` as in ``limits__min_samples=5``."""
    variables = dict(os.environ)
    forget_desk(variables)
    variables |= {
        "DRIFT_AWARE_KAFKA__PARTITIONS": str(PARTITIONS),
        "DRIFT_AWARE_KAFKA__SESSION_TIMEOUT_SECONDS": str(_SESSION_TIMEOUT_SECONDS),
        "DRIFT_AWARE_RETENTION__AUTOMATIC": "false",
        "PROMETHEUS_PORT": "0",
        "PYTHONUNBUFFERED": "1",
        # Of the box around an error: a narrow one breaks the paths and names that tests look for.
        "TERMINAL_WIDTH": "300",
    }
    if bootstrap:
        variables["KAFKA_BOOTSTRAP_SERVERS"] = bootstrap
    if database_url:
        variables["DATABASE_URL"] = database_url
    return variables | {PREFIX + name.upper(): str(value) for name, value in values.items()}
