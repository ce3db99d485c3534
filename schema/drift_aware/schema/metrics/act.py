"""What the ledger of actions says; whoever reads it gives the same numbers."""

from drift_aware.schema.metrics.metric import Instruments, count, level


class Ledger(Instruments, roles=("act", "serve")):
    """Read from Postgres when Prometheus asks; while Postgres does not answer there are no samples."""

    retrains = count(
        "retrain_events_total",
        "Actions that have tuned a model, since the beginning.",
        unit="actions",
        use="Marks on the chart of accuracy: has it helped?",
    )
    reindexes = count(
        "reindex_events_total",
        "Actions that have embedded the documents anew, since the beginning.",
        unit="actions",
        use="Marks on the chart of embedding drift.",
    )
    api_cost = count(
        "api_cost_usd_total",
        "What actions have cost at providers, since the beginning.",
        unit="US dollars",
        use="What does keeping up with drift cost?",
    )
    total_cost = level(
        "total_cost_usd",
        "The same as api_cost_usd_total.",
        unit="US dollars",
        use="For dashboards that know this name.",
    )
    actions = level(
        "drift_aware_actions",
        "Actions that are not over, by where they stand.",
        unit="actions",
        use="`unknown` waits for a person to say whether a step was done; `proposed` for an answer.",
        labels=("action", "status"),
    )
    oldest = level(
        "drift_aware_actions_oldest_timestamp_seconds",
        "When the action that has stood there longest last changed.",
        unit="seconds since 1970",
        use="How long somebody, or `act`, has been waited for.",
        labels=("action", "status"),
    )


class ActMetrics(Instruments, roles=("act",)):
    """How the reading of alerts goes."""

    retries = count(
        "drift_aware_act_retries_total",
        "Sessions that ended in trouble.",
        unit="sessions",
        use="Rising: Kafka or Postgres cannot be reached; the cause is the class of the error.",
        labels=("cause",),
    )
