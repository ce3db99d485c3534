"""The broker a test talks to, embedded or real."""

from dataclasses import dataclass
from typing import Literal

from rig.configuration import PARTITIONS


@dataclass(frozen=True)
class Broker:
    """An empty broker with all topics of the project."""

    name: Literal["embedded", "kafka"]
    bootstrap: str
    partitions: int = PARTITIONS
