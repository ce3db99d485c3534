"""Every metric of every role: the registries are made of these classes, and so is docs/metrics.md.

The names that dashboards in this field already use come without a prefix (``drift_embedding_score``,
``refusal_rate``); all others begin with ``drift_aware_``.
"""

from drift_aware.schema.metrics.act import ActMetrics as ActMetrics
from drift_aware.schema.metrics.act import Ledger as Ledger
from drift_aware.schema.metrics.canary import CanaryMetrics as CanaryMetrics
from drift_aware.schema.metrics.embed import EmbedMetrics as EmbedMetrics
from drift_aware.schema.metrics.ingest import IngestMetrics as IngestMetrics
from drift_aware.schema.metrics.metric import Instruments, Role
from drift_aware.schema.metrics.persist import SinkMetrics as SinkMetrics
from drift_aware.schema.metrics.serve import ApiMetrics as ApiMetrics
from drift_aware.schema.metrics.worker import Segments as Segments
from drift_aware.schema.metrics.worker import Stream as Stream

VOCABULARY: tuple[type[Instruments], ...] = (
    Stream,
    Segments,
    SinkMetrics,
    Ledger,
    ActMetrics,
    ApiMetrics,
    IngestMetrics,
    EmbedMetrics,
    CanaryMetrics,
)


def names(role: Role) -> set[str]:
    """The metrics that a role shows."""
    return {metric.name for each in VOCABULARY if role in each.roles for metric in each.declared()}
