"""What embedding says of itself."""

from drift_aware.schema.metrics.metric import Instruments, count, spread


class EmbedMetrics(Instruments, roles=("embed",)):
    """What becomes of the texts of interactions."""

    embedded = count(
        "drift_aware_embed_embeddings_total",
        "Embeddings published.",
        unit="embeddings",
        use="Throughput.",
        labels=("kind",),
    )
    skipped = count(
        "drift_aware_embed_skipped_total",
        "Texts left without an embedding of ours.",
        unit="texts",
        use="`over_budget` and `refused` are worth a look; the others are as the settings say.",
        labels=("reason",),
    )
    cost = count(
        "drift_aware_embed_cost_usd_total",
        "What the provider has been paid by this process, by the tokens it counted.",
        unit="US dollars",
        use="What does embedding cost?",
    )
    failures = count(
        "drift_aware_embed_failures_total",
        "Requests that failed and were made again.",
        unit="requests",
        use="Rising: the provider is overloaded or away; interactions wait, and none is lost.",
    )
    request_seconds = spread(
        "drift_aware_embed_request_seconds",
        "Time of a request that was answered.",
        unit="seconds",
        use="What a batch waits for.",
        buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    )
    retries = count(
        "drift_aware_embed_retries_total",
        "Sessions that ended in trouble.",
        unit="sessions",
        use="Rising: Kafka or the provider cannot be reached; the cause is the class of the error.",
        labels=("cause",),
    )
