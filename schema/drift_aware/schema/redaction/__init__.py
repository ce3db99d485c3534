"""What must not leave is found and replaced before an event is packed for Kafka."""

from drift_aware.schema.redaction.redaction import Changes, Redaction
from drift_aware.schema.redaction.spans import Finder, Span

__all__ = ["Changes", "Finder", "Redaction", "Span"]
