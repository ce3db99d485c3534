"""On what was measured."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from load import environments
from rig.kafka import VERSION

_PACKAGES = ("faust-streaming", "aiokafka", "confluent-kafka", "numpy", "msgspec")


def described() -> str:
    """Machine and versions, in a sentence each."""
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    peers = ", ".join(environments.title(name) for name in environments.PACKAGES)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {processor(Path('/proc/cpuinfo').read_text().splitlines())}, "
        f"{os.cpu_count()} cores, which Kafka {VERSION} and the contender share; {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}, {packages}, {peers}."
    )


def processor(cpuinfo: Sequence[str]) -> str:
    """The processor's name from ``/proc/cpuinfo``.

    >>> processor(["processor : 0", "model name : Some CPU"]), processor([])
    ('Some CPU', 'unknown processor')
    """
    named = (line.partition(":")[2].strip() for line in cpuinfo if line.startswith("model name"))
    return next(named, "unknown processor")
