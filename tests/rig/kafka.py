"""A real Apache Kafka, one KRaft node, started from its own jars.

The jars are fetched once with Maven into ``.cache/kafka`` of the checkout.
"""

import base64
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import MappingProxyType

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from drift_aware.schema import topics
from drift_aware.sql import guardian
from rig.configuration import make_settings
from rig.services import wait_until

VERSION = "4.1.1"
_POM = Path(__file__).with_name("kafka.pom.xml")
_CACHE = Path(__file__).parents[2] / ".cache" / "kafka" / VERSION
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_RESET_SECONDS = 60.0
_REQUEST_SECONDS = 10.0


class KafkaUnavailable(Exception):
    """Kafka cannot be had on this machine; the message says what is missing."""


def jars() -> Path:
    """The folder of Kafka's jars; fetched if this is the first time.

    Raises:
        KafkaUnavailable: no Java, no Maven, or Maven cannot fetch them.
    """
    for program, package in (("java", "openjdk-17-jre-headless"), ("mvn", "maven")):
        if shutil.which(program) is None:
            raise KafkaUnavailable(f"a real Kafka needs {program} on PATH; Debian's package is {package}")
    if not _CACHE.exists():
        _fetch()
    return _CACHE


def _fetch() -> None:
    _CACHE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_CACHE.parent) as folder:
        command = ["mvn", "--quiet", "--batch-mode", "--file", str(_POM), "dependency:copy-dependencies"]
        fetched = subprocess.run(
            [*command, f"-DoutputDirectory={folder}/lib"], capture_output=True, text=True, check=False
        )
        if fetched.returncode != 0:
            raise KafkaUnavailable(f"Maven cannot fetch Kafka {VERSION}: {fetched.stdout[-800:]}")
        try:
            # A rename, so that of two runs at the same time both find a whole folder.
            (Path(folder) / "lib").rename(_CACHE)
        except OSError:
            if not _CACHE.exists():
                raise


class KafkaServer:
    """One broker on a fixed free port; may be stopped, killed and started again with its data.

    Args:
        folder: where its data, its configuration and its log go.
        listeners: further ones, by the protocol they speak; their addresses are in ``addresses``.
        properties: more of its configuration.
        scram: credentials to begin with, as in ``SCRAM-SHA-256=[name=…,password=…]``.
    """

    def __init__(
        self,
        folder: Path,
        listeners: Sequence[str] = (),
        properties: Mapping[str, str] = MappingProxyType({}),
        scram: Sequence[str] = (),
    ) -> None:
        self._folder = folder
        self._jars = jars()
        controller_port, *ports = free_ports(2 + len(listeners))
        self.addresses = {
            name: f"127.0.0.1:{port}" for name, port in zip(["PLAINTEXT", *listeners], ports, strict=True)
        }
        self.bootstrap = self.addresses["PLAINTEXT"]
        self._properties = folder / "server.properties"
        values = _configuration(folder / "data", self.addresses, controller_port) | dict(properties)
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
        self._process: subprocess.Popen[bytes] | None = None
        self._format(scram)

    def start(self) -> None:
        """Start, and return when it answers: about 3 s."""
        asked = {
            "command": self._java("-Xmx768m", "kafka.Kafka", str(self._properties)),
            "user": None,
            "signal": "SIGTERM",
            "remove": None,
        }
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", guardian.__file__, json.dumps(asked)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self._answers, _START_SECONDS, lambda: f"Kafka: {self._log_tail()}")

    def stop(self) -> None:
        """Shut down in order, and wait until it has."""
        self._end()

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.terminate()
        self._end()

    def reset(self) -> None:
        """Every topic empty and every group gone, as if the broker were new: about 0.5 s."""
        admin = self.clear()
        topics.create(make_settings(self.bootstrap))
        wait_until(lambda: _all_led(admin), _RESET_SECONDS, "a leader for every partition")

    def clear(self) -> AdminClient:
        """Delete every group and every topic; a client for what comes next."""
        admin = self._admin()
        wait_until(lambda: _without_groups(admin), _RESET_SECONDS, "all consumer groups deleted")
        wait_until(lambda: _without_topics(admin), _RESET_SECONDS, "all topics deleted")
        return admin

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.communicate(timeout=_STOP_SECONDS)

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"Kafka stopped: {self._log_tail()}")
        try:
            return bool(self._admin().list_topics(timeout=1).brokers)
        except KafkaException:
            return False

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def _format(self, scram: Sequence[str]) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # With "=", because one id in 64 begins with "-" and would be read as an option.
        arguments = ["format", f"--cluster-id={cluster}", f"--config={self._properties}"]
        arguments += [f"--add-scram={credentials}" for credentials in scram]
        formatted = subprocess.run(
            self._java("kafka.tools.StorageTool", *arguments), check=False, capture_output=True, text=True
        )
        assert formatted.returncode == 0, formatted.stderr

    def _java(self, *arguments: str) -> list[str]:
        # Quick to start rather than fast later; warnings go to the log.
        options = [
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        ]
        return ["java", *options, "-cp", f"{self._jars}/*", *arguments]

    def _log_tail(self) -> str:
        return (self._folder / "log").read_text(errors="replace")[-2000:]


def _configuration(data: Path, addresses: Mapping[str, str], controller_port: int) -> dict[str, str]:
    listeners = ",".join(f"{name}://{address}" for name, address in addresses.items())
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": f"{listeners},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": listeners,
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": ",".join(
            ["CONTROLLER:PLAINTEXT", *(f"{name}:{name}" for name in addresses)]
        ),
        "log.dirs": str(data),
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        # After a kill the controller lets the broker back in only when its old session has expired.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        # Deleted topics leave no files open behind them while the next test runs.
        "log.segment.delete.delay.ms": "100",
        "log.cleaner.dedupe.buffer.size": "16777216",
    }


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on; all held at once, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _all_led(admin: AdminClient) -> bool:
    there = admin.list_topics(timeout=_REQUEST_SECONDS).topics
    return all(
        topic.name in there and all(part.leader >= 0 for part in there[topic.name].partitions.values())
        for topic in topics.TOPICS
    )


def _without_topics(admin: AdminClient) -> bool:
    """Delete what topics there are; a broker goes on listing for a moment what the controller has deleted."""
    there = admin.list_topics(timeout=_REQUEST_SECONDS).topics
    names = [name for name in there if not name.startswith("__")]
    if names:
        for deleted in admin.delete_topics(names, operation_timeout=_REQUEST_SECONDS).values():
            _tolerate(deleted, KafkaError.UNKNOWN_TOPIC_OR_PART)
    return not names


def _without_groups(admin: AdminClient) -> bool:
    """Delete what groups there are; one still has members for a while after its clients were killed."""
    names = [group.group_id for group in admin.list_consumer_groups().result().valid]
    if names:
        for deleted in admin.delete_consumer_groups(names).values():
            _tolerate(deleted, KafkaError.NON_EMPTY_GROUP, KafkaError.GROUP_ID_NOT_FOUND)
    return not names


def _tolerate(done: Future[None], *codes: int) -> None:
    try:
        done.result()
    except KafkaException as error:
        if error.args[0].code() not in codes:
            raise
