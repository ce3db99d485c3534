"""What an application publishes with; needs confluent-kafka and msgspec only."""

from drift_aware.producers.memory import MemoryPublisher
from drift_aware.producers.publisher import Publisher
from drift_aware.producers.redaction import Redaction
from drift_aware.producers.tally import Stats

__all__ = ["MemoryPublisher", "Publisher", "Redaction", "Stats"]
