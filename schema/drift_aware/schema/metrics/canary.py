"""What ``drift-aware canary`` says of the models it asks."""

from drift_aware.schema.metrics.metric import Instruments, count, level


class CanaryMetrics(Instruments, roles=("canary",)):
    """Rounds, what they cost and what they have found, by what is asked: answers or embedding."""

    rounds = count(
        "drift_aware_canary_rounds_total",
        "Rounds in which the endpoint has answered something.",
        unit="rounds",
        use="Standing still: nobody would notice that a model was swapped.",
        labels=("canary",),
    )
    errors = count(
        "drift_aware_canary_errors_total",
        "Requests without a usable answer; they are made again in the next round.",
        unit="requests",
        use="Growing: the endpoint is down, or refuses; the log says which.",
        labels=("canary",),
    )
    silent = level(
        "drift_aware_canary_silent_rounds",
        "Rounds in a row without any answer.",
        unit="rounds",
        use="3 and more: a swap would not be noticed.",
        labels=("canary",),
    )
    left_out = count(
        "drift_aware_canary_rounds_left_out_total",
        "Rounds that would have cost more than the day has left.",
        unit="rounds",
        use="Not zero: raise canary.budget_usd_per_day or canary.every_minutes.",
        labels=("canary",),
    )
    steady = level(
        "drift_aware_canary_steady_probes",
        "Prompts or strings that have repeated themselves and count.",
        unit="prompts or strings",
        use="Fewer than 3: there is no alert, because chance could do it.",
        labels=("canary",),
    )
    changed = level(
        "drift_aware_canary_changed_share",
        "Share of the steady ones that has changed in the last round.",
        unit="share, 0 to 1",
        use="About half, twice in a row, is an alert; one that stays is a prompt to look at.",
        labels=("canary",),
    )
    moved = level(
        "drift_aware_canary_moved_distance",
        "The largest distance of a vector from its reference in the last round.",
        unit="cosine distance, 0 to 2",
        use="Calm embedders stay below 0.0003; another model is at 0.1 and more.",
    )
    cost = count(
        "drift_aware_canary_cost_usd_total",
        "What the rounds have cost, where `prices` says what the model costs.",
        unit="US dollars",
        use="What does it cost to look?",
        labels=("canary",),
    )
