"""The embedded broker: what it holds, and that it leaves nothing behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer

from drift_aware.schema import topics
from drift_aware.streams import mock_cluster
from drift_aware.streams.embedded import EmbeddedBroker, EmbeddedBrokerFailed, every_topic
from rig.configuration import make_settings
from rig.processes import alive
from rig.services import wait_until

_HOLD_BROKER = """
import signal
from drift_aware.streams.embedded import EmbeddedBroker
with EmbeddedBroker({"t": 1}) as broker:
    print(broker.pid, flush=True)
    signal.pause()
"""


def test_a_record_comes_back_as_it_was_sent() -> None:
    with EmbeddedBroker({"t": 2}) as broker:
        producer = Producer({"bootstrap.servers": broker.bootstrap})
        producer.produce("t", b"value", key=b"key", partition=1, headers=[("h", b"1")])
        assert producer.flush(10) == 0
        consumer = Consumer(
            {"bootstrap.servers": broker.bootstrap, "group.id": "g", "auto.offset.reset": "earliest"}
        )
        try:
            consumer.subscribe(["t"])
            message = consumer.poll(20)
        finally:
            consumer.close()
    assert message is not None
    assert (message.key(), message.value(), message.partition()) == (b"key", b"value", 1)
    assert message.headers() == [("h", b"1")]


def test_it_has_every_topic_with_the_partitions_asked_for() -> None:
    with EmbeddedBroker(every_topic(3)) as broker:
        there = topics.existing(make_settings(broker.bootstrap))
    assert there == {topic.name: 3 for topic in topics.TOPICS}


def test_its_process_ends_with_the_block() -> None:
    with EmbeddedBroker({"t": 1}) as broker:
        pid = broker.pid
        assert pid is not None
        assert alive(pid)
    assert not alive(pid)
    assert broker.pid is None


def test_stopping_twice_does_nothing() -> None:
    broker = EmbeddedBroker({"t": 1})
    broker.start()
    broker.stop()
    broker.stop()


def test_its_process_ends_when_the_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", _HOLD_BROKER], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.send_signal(signal.SIGKILL)
    wait_until(lambda: not alive(pid), 10, "the broker gone")


def test_a_ctrl_c_at_the_terminal_does_not_reach_it() -> None:
    with EmbeddedBroker({"t": 1}) as broker:
        assert broker.pid is not None
        assert os.getsid(broker.pid) == broker.pid


def test_without_confluent_kafka_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(mock_cluster.MockClusterFailed, match="pip install confluent-kafka"):
        mock_cluster.load_librdkafka()


def test_a_librdkafka_without_mock_cluster_is_an_error_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda path: object())
    with pytest.raises(mock_cluster.MockClusterFailed, match="KAFKA_BOOTSTRAP_SERVERS"):
        mock_cluster.load_librdkafka()


def test_a_child_that_cannot_start_is_an_error_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text('print(\'{"error": "no socket"}\')')
    monkeypatch.setattr(mock_cluster, "__file__", str(broken))
    with pytest.raises(EmbeddedBrokerFailed, match="no socket"):
        EmbeddedBroker({"t": 1}).start()
    broken.write_text("")
    with pytest.raises(EmbeddedBrokerFailed, match="ended before"):
        EmbeddedBroker({"t": 1}).start()
