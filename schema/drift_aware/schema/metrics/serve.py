"""What the API says of itself."""

from drift_aware.schema.metrics.metric import Instruments, count, spread


class ApiMetrics(Instruments, roles=("serve",)):
    """Requests by route; the route is the template, so that ids and names of segments make no series."""

    requests = count(
        "drift_aware_api_requests_total",
        "Requests answered.",
        unit="requests",
        use="Who asks for what, and how much of it fails.",
        labels=("method", "route", "status"),
    )
    seconds = spread(
        "drift_aware_api_request_seconds",
        "Time from a request's headers to the start of its answer.",
        unit="seconds",
        use="Near the statement timeout, the database is too slow for what is asked.",
        buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        labels=("method", "route"),
    )
