"""What the stream worker says of itself, and of each segment."""

from drift_aware.schema.metrics.metric import Instruments, count, level


class Stream(Instruments, roles=("worker",)):
    """How the worker is and how far it has come."""

    ready = level(
        "drift_aware_worker_ready",
        "1 when recovered and not rebalancing, else 0.",
        unit="0 or 1",
        use="0 for minutes: nothing is counted, nothing is noticed.",
    )
    started = level(
        "drift_aware_worker_start_timestamp_seconds",
        "When the process began.",
        unit="seconds since 1970",
        use="Changing often: the worker ends itself again and again; its log says why.",
    )
    records = count(
        "drift_aware_records_total",
        "Kafka records read from the source topics.",
        unit="records",
        use="Throughput; a standstill means that nobody publishes, or that nobody reads.",
        labels=("topic",),
    )
    lag = level(
        "drift_aware_lag_records",
        "Records that are not counted yet.",
        unit="records",
        use="Growing: one more worker is needed, or a partition stands still. Alerts come so much later.",
        labels=("topic",),
    )
    event_time = level(
        "drift_aware_watermark_timestamp_seconds",
        "Event time that every partition at hand has reached.",
        unit="seconds since 1970",
        use="How far behind the clock the worker is, in the time of events.",
        labels=("kind",),
    )
    dead_letters = count(
        "drift_aware_dead_letters_total",
        "Events that could not be used and went to the dead-letter topic.",
        unit="events",
        use="Growing: a publisher sends what cannot be read; the reason says what.",
        labels=("topic", "reason"),
    )
    late = count(
        "drift_aware_late_events_total",
        "Events that came after their pane had closed; they count in the totals only.",
        unit="events",
        use="Many: allowed_lateness_seconds is shorter than the way of the events.",
        labels=("kind",),
    )
    canaries = count(
        "drift_aware_canary_events_total",
        "Events that `drift-aware canary` has published; no other number has them in it.",
        unit="events",
        use="Shows that they arrive, and that they are kept apart.",
        labels=("kind",),
    )
    gaps = count(
        "drift_aware_offset_gaps_total",
        "Records that came too early, to be read again.",
        unit="records",
        use="A few around a rebalance are normal.",
    )
    lost = count(
        "drift_aware_records_lost_total",
        "Records that retention deleted unread.",
        unit="records",
        use="Never normal: the counts miss them for good.",
    )
    rejected = count(
        "drift_aware_rejected_writes_total",
        "Writes that the broker rejected; the worker stops at the first.",
        unit="writes",
        use="Not zero: rights, a record limit or a full disk of the broker.",
    )
    segments = level(
        "drift_aware_segments",
        "Segments with a place of their own; see max_segments.",
        unit="segments",
        use="Near max_segments, new ones are counted as `other`.",
    )
    overflow = count(
        "drift_aware_events_beyond_cap_total",
        "Events of segments beyond max_segments, counted as `other`.",
        unit="events",
        use="Growing: raise max_segments, or leave a dimension out of `segments`.",
    )
    unshown = level(
        "drift_aware_segments_without_series",
        "Segments that are watched but have no series here; see prometheus_segments.",
        unit="segments",
        use="Not zero: dashboards and rules on series miss these; alerts of the worker do not.",
    )
    rows = level(
        "drift_aware_state_rows", "Rows of a table.", unit="rows", use="Size of the state.", labels=("table",)
    )
    bytes = level(
        "drift_aware_state_bytes",
        "Bytes of a table's rows.",
        unit="bytes",
        use="It is all in memory, and read in full by every recovery.",
        labels=("table",),
    )
    recovery = level(
        "drift_aware_recovery_seconds",
        "How long the last recovery took.",
        unit="seconds",
        use="So long nothing is noticed after a restart or a rebalance.",
    )
    alerts = count(
        "drift_aware_alerts_total",
        "Alerts that have opened since the process began.",
        unit="alerts",
        use="Against the budget: more than chance explains means drift, or a promise that does not hold.",
        labels=("kind", "severity", "paging"),
    )
    budget = level(
        "drift_aware_false_alarm_budget_seconds",
        "Event time for each false alarm that the setting false_alarms allows.",
        unit="seconds",
        use="What the number of alerts is compared with.",
    )


class Segments(Instruments, roles=("worker",)):
    """What the last closed pane of each segment showed; at most ``prometheus_segments`` of them.

    A score of 1 is at the limit of the settings or beyond; what chance makes of a distance is taken off.
    """

    pane_end = level(
        "drift_aware_pane_end_timestamp_seconds",
        "End of the last closed pane, event time.",
        unit="seconds since 1970",
        use="How old the other series of the segment are.",
        labels=("segment",),
    )
    score = level(
        "drift_aware_score",
        "What a detector compares with its threshold.",
        unit="of the detector",
        use="How near an alert is; of a detector on the budget, evidence as a multiple of the budget.",
        labels=("segment", "metric", "detector"),
    )
    threshold = level(
        "drift_aware_threshold",
        "From which score on a detector fires.",
        unit="of the detector",
        use="The line to draw beside the score.",
        labels=("segment", "metric", "detector"),
    )
    firing = level(
        "drift_aware_firing",
        "1 while a detector fires, else 0.",
        unit="0 or 1",
        use="What the worker itself calls drift.",
        labels=("segment", "metric", "detector"),
    )
    value = level(
        "drift_aware_value",
        "A metric in the current window, in its own unit.",
        unit="of the metric",
        use="What has changed, as people know it.",
        labels=("segment", "metric"),
    )
    window_events = level(
        "drift_aware_window_events",
        "Events that drift_aware_value is measured on.",
        unit="events",
        use="A rate over twenty events is an anecdote; rules ask for a hundred.",
        labels=("segment", "metric"),
    )
    embedding_score = level(
        "drift_embedding_score",
        "Drift of the embeddings, 0 to 1.",
        unit="of the limit",
        use="Have people begun to ask something else? Against embedding_cosine, kl and psi.",
        labels=("segment",),
    )
    behavior_score = level(
        "drift_behavior_score",
        "Drift of what the model does: refusals, toxicity, lengths, ratings, intents; 0 to 1.",
        unit="of the limit",
        use="Does it answer differently?",
        labels=("segment",),
    )
    accuracy_score = level(
        "drift_accuracy_score",
        "Fall of the accuracy beyond chance, 0 to 1; at 1 all that accuracy_min leaves to lose is lost.",
        unit="of the limit",
        use="Is it wrong more often?",
        labels=("segment",),
    )
    operational_score = level(
        "drift_aware_operational_score",
        "Drift of errors, latency, cost and tokens, 0 to 1.",
        unit="of the limit",
        use="Is it the service rather than the model?",
        labels=("segment",),
    )
    overall_score = level(
        "drift_overall_score",
        "Mean of the largest KL divergence, the largest stability index and the fall of accuracy, 0 to 1.",
        unit="of the limit",
        use="One number for a wall; a mean may hide one of many, so page on the others.",
        labels=("segment",),
    )
    embedding_drift = level(
        "embedding_drift_score",
        "Cosine distance of the mean embedding from the baseline's, less chance; the worst of all families.",
        unit="cosine distance, 0 to 2",
        use="Above 0.1, the default limit, the collection no longer fits the questions.",
        labels=("segment",),
    )
    accuracy = level(
        "model_accuracy",
        "Share of right answers in the evaluations of the window.",
        unit="share, 0 to 1",
        use="How good is the model now?",
        labels=("segment",),
    )
    recent_accuracy = level(
        "recent_accuracy",
        "The same as model_accuracy.",
        unit="share, 0 to 1",
        use="Beside baseline_accuracy.",
        labels=("segment",),
    )
    baseline_accuracy = level(
        "baseline_accuracy",
        "Share of right answers in the baseline.",
        unit="share, 0 to 1",
        use="How good was it when all was well?",
        labels=("segment",),
    )
    refusals = level(
        "model_refusal_rate",
        "Share of answers in the window that refuse.",
        unit="share, 0 to 1",
        use="Above 0.05, the default limit, people are sent away.",
        labels=("segment",),
    )
    refusal_rate = level(
        "refusal_rate",
        "The same as model_refusal_rate.",
        unit="share, 0 to 1",
        use="For dashboards that know this name.",
        labels=("segment",),
    )
    toxicity = level(
        "model_toxicity_rate",
        "Share of toxic answers in the window.",
        unit="share, 0 to 1",
        use="Above 0.02, the default limit, guardrails are too loose.",
        labels=("segment",),
    )
    toxicity_rate = level(
        "toxicity_rate",
        "The same as model_toxicity_rate.",
        unit="share, 0 to 1",
        use="For dashboards that know this name.",
        labels=("segment",),
    )
