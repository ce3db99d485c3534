"""The child process behind ``EmbeddedBroker``: librdkafka's mock cluster until stdin closes.

Run as a script, with topics and partition counts as a JSON object; nothing of this project is imported, so
that it starts at once. It answers with one JSON line on stdout, ``{"bootstrap": …}`` or ``{"error": …}``.

Source: ``rdkafka_mock.h`` of librdkafka, which the wheels of confluent-kafka carry.
"""

import ctypes
import importlib.util
import json
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_PRODUCER = 0
_BROKERS = 1
_REPLICAS = 1
# How long the first member of a group waits for others before it gets its partitions.
_FIRST_REBALANCE_DELAY_MS = 200
_ERROR_TEXT_BYTES = 512
_WAKE_SECONDS = 0.01


class MockClusterFailed(Exception):
    """The mock cluster cannot be started; the message says what to do."""


def load_librdkafka() -> ctypes.CDLL:
    """The librdkafka that confluent-kafka uses, whatever a wheel calls the file.

    The loader looks a symbol up in the extension module and then in everything it links to, so opening the
    extension module finds librdkafka in Linux and macOS wheels and in builds from source alike.

    Raises:
        MockClusterFailed: no confluent-kafka, or one without the mock cluster.
    """
    package = importlib.util.find_spec("confluent_kafka")
    if package is None or package.origin is None:
        raise MockClusterFailed("confluent-kafka is not installed; run: pip install confluent-kafka")
    extensions = sorted(Path(package.origin).parent.glob("cimpl*.so"))
    if not extensions:
        raise MockClusterFailed(
            f"no cimpl*.so beside {package.origin}; reinstall confluent-kafka from a wheel"
        )
    try:
        library = ctypes.CDLL(str(extensions[0]))
        _ = library.rd_kafka_mock_topic_create
    except (OSError, AttributeError) as error:
        raise MockClusterFailed(
            f"the librdkafka of confluent-kafka has no mock cluster ({error}); "
            "reinstall confluent-kafka from a wheel, or set KAFKA_BOOTSTRAP_SERVERS to a real Kafka"
        ) from None
    return library


class MockCluster:
    """One broker in this process. Its records live in memory, the last few megabytes of each partition."""

    def __init__(self, topics: Mapping[str, int]) -> None:
        self._library = load_librdkafka()
        self._client = self._new_client()
        self._cluster = self._call("rd_kafka_mock_cluster_new", ctypes.c_void_p, self._client, _BROKERS)
        if not self._cluster:
            raise MockClusterFailed("librdkafka could not open a socket on 127.0.0.1 for its mock cluster")
        delay = ctypes.c_int32(_FIRST_REBALANCE_DELAY_MS)
        self._call("rd_kafka_mock_group_initial_rebalance_delay_ms", None, self._cluster, delay)
        with _kept_awake(self.bootstrap):
            for name, partitions in topics.items():
                self._create(name, partitions)

    @property
    def bootstrap(self) -> str:
        """The address, as in ``127.0.0.1:38731``."""
        address: bytes = self._call("rd_kafka_mock_cluster_bootstraps", ctypes.c_char_p, self._cluster)
        return address.decode()

    def close(self) -> None:
        self._call("rd_kafka_mock_cluster_destroy", None, self._cluster)
        self._call("rd_kafka_destroy", None, self._client)

    def _new_client(self) -> ctypes.c_void_p:
        config = self._call("rd_kafka_conf_new", ctypes.c_void_p)
        error = ctypes.create_string_buffer(_ERROR_TEXT_BYTES)
        # Errors only: the cluster would warn on stderr about every request that it does not serve.
        self._call("rd_kafka_conf_set", ctypes.c_int, config, b"log_level", b"3", error, _ERROR_TEXT_BYTES)
        client = self._call("rd_kafka_new", ctypes.c_void_p, _PRODUCER, config, error, _ERROR_TEXT_BYTES)
        if not client:
            raise MockClusterFailed(f"librdkafka did not start: {error.value.decode()}")
        return ctypes.c_void_p(client.value)

    def _create(self, name: str, partitions: int) -> None:
        code = self._call(
            "rd_kafka_mock_topic_create", ctypes.c_int, self._cluster, name.encode(), partitions, _REPLICAS
        )
        if code:
            reason: bytes = self._call("rd_kafka_err2str", ctypes.c_char_p, code)
            raise MockClusterFailed(
                f"topic {name!r} with {partitions} partitions was refused: {reason.decode()}"
            )

    def _call(self, name: str, result: Any, *arguments: Any) -> Any:
        """Call a C function; pointers come back wrapped, since a bare int would be cut to 32 bits."""
        function = getattr(self._library, name)
        function.restype = result
        value = function(*arguments)
        return ctypes.c_void_p(value) if result is ctypes.c_void_p else value


@contextmanager
def _kept_awake(address: str) -> Iterator[None]:
    """Connect again and again meanwhile.

    On a busy machine the cluster's thread at times misses that a call waits for it, and looks again only
    after a second (librdkafka 2.16); a connection wakes it. 17 topics took 1-6 s without this, 0.01 s with.
    """
    host, _, port = address.rpartition(":")
    done = threading.Event()

    def connect() -> None:
        while not done.wait(_WAKE_SECONDS):
            socket.create_connection((host, int(port))).close()

    thread = threading.Thread(target=connect)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def main(topics: Mapping[str, int]) -> int:
    """Serve until stdin ends, which it does when the parent closes it or dies."""
    try:
        cluster = MockCluster(topics)
    except MockClusterFailed as error:
        _answer(error=str(error))
        return 1
    _answer(bootstrap=cluster.bootstrap)
    sys.stdin.buffer.read()
    cluster.close()
    return 0


def _answer(**line: str) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
