"""What an application publishes with, and is told by; needs confluent-kafka and msgspec only."""

from drift_aware.producers.memory import MemoryPublisher
from drift_aware.producers.policies import PolicyClient
from drift_aware.producers.publisher import Publisher
from drift_aware.producers.tally import Stats
from drift_aware.schema.policies import Policy
from drift_aware.schema.redaction import Redaction

__all__ = ["MemoryPublisher", "Policy", "PolicyClient", "Publisher", "Redaction", "Stats"]
