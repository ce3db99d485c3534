"""What the middleware and the handler add, in small, on a machine that may be busy with something else."""

from statistics import median

from drift_aware.producers import Publisher
from gateways import measure
from rig.brokers import Broker

CALLS = 200
# An answer of a model takes a thousand times as long.
MOST_MICROSECONDS = 1000.0


def test_calls_take_hardly_longer_for_being_watched(embedded_broker: Broker) -> None:
    with Publisher(embedded_broker.bootstrap) as publisher:
        found = measure(publisher, CALLS)
        assert publisher.flush(20) == 0
        assert publisher.dropped == {}
        # Of the two kinds of requests, one streams, and of the runs each is published.
        assert publisher.stats.delivered == 3 * CALLS + CALLS // 100
    for name, times in found.items():
        assert median(times.cpu) < MOST_MICROSECONDS, name
    assert median(found["a chunk of a stream"].cpu) < median(found["a request"].cpu)
