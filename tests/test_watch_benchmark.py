"""What watching a client adds to its calls, in small, on a machine that may be busy with something else."""

from statistics import median

from drift_aware.producers import Publisher
from rig.brokers import Broker
from watch import Times, measure, quietest

CALLS = 400
# Of a call that answers from memory; one over a network takes a hundred times as long.
LARGEST_SHARE = 0.4


def test_a_call_takes_hardly_longer_for_being_watched(embedded_broker: Broker) -> None:
    with Publisher(embedded_broker.bootstrap) as publisher:
        found = measure(publisher, CALLS)
        assert publisher.flush(20) == 0
        assert publisher.dropped == {}
    assert set(found) == {"chat", "embedding", "a chunk of a stream"}
    assert len(found["chat"].cpu) == CALLS
    for name, times in found.items():
        assert median(times.added) < LARGEST_SHARE * median(times.bare), name


def test_the_table_has_what_was_measured() -> None:
    times = Times([100.0] * 5, [10.0] * 5, [5.0] * 5)
    assert times.cells("chat") == ["chat", "100.0 µs", "10.0 µs", "10.0 µs", "0.100", "5.0 µs", "5.0 µs"]


def test_the_quietest_round_is_that_of_the_fastest_bare_calls() -> None:
    rounds = [{"chat": Times([bare] * 2, [1.0] * 2)} for bare in (300.0, 200.0, 400.0)]
    assert quietest(rounds, "chat").bare == [200.0, 200.0]
