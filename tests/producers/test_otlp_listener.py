"""OTLP over HTTP: what is answered to whom, and that nothing is published twice."""

import gzip
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from prometheus_client import CollectorRegistry

from drift_aware.producers.otlp.intake import Intake
from drift_aware.producers.otlp.listener import application, listening
from drift_aware.producers.otlp.receiver import Receiver, Recent
from drift_aware.producers.otlp.spans import Span
from drift_aware.schema.errors import SettingsError
from drift_aware.schema.metrics import IngestMetrics
from drift_aware.schema.metrics.metric import make_registry
from rig.brokers import Broker
from rig.configuration import make_settings
from rig.kafka import KafkaServer
from rig.records import records
from rig.telemetry import as_json, chat, request, written

PROTOBUF = "application/x-protobuf"
NOBODY = "127.0.0.1:1"


class Sender:
    """Posts to a listener in this process."""

    def __init__(self, port: int, registry: CollectorRegistry) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._registry = registry

    def post(
        self, body: bytes, form: str = PROTOBUF, path: str = "/v1/traces", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer."""
        asked = {"Content-Type": form} | {name.replace("_", "-"): value for name, value in headers.items()}
        return self._open(urllib.request.Request(self.url + path, body, asked, method="POST"))

    def get(self, path: str) -> tuple[int, dict[str, str], bytes]:
        return self._open(urllib.request.Request(self.url + path))

    def counted(self, name: str, **labels: str) -> float:
        return self._registry.get_sample_value(f"drift_aware_ingest_{name}_total", labels) or 0.0

    def _open(self, asked: urllib.request.Request) -> tuple[int, dict[str, str], bytes]:
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:
                return answer.status, _lower(answer.headers), bytes(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _lower(error.headers), error.read()


def _lower(headers: Message) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@contextmanager
def sending(bootstrap: str, **settings: Any) -> Iterator[Sender]:
    made = make_settings(bootstrap, **settings)
    registry = make_registry()
    metrics = IngestMetrics(registry)
    receiver = Receiver(made, Intake(made), metrics)
    app = application(receiver, metrics, registry, made.otlp.max_body_bytes)
    with listening(app, "127.0.0.1", 0) as port:
        yield Sender(port, registry)
    receiver.close()


def body(*numbers: int) -> bytes:
    return bytes(request(written(*(chat(number) for number in numbers))).SerializeToString())


def published(bootstrap: str) -> list[str]:
    found = [
        event
        for record in records(bootstrap, "drift.interactions.v1")
        for event in record.events("interaction")
    ]
    return sorted(event.id for event in found)  # type: ignore[union-attr]


def test_protobuf_json_and_gzip_are_taken_and_answered_in_kind(kafka_broker: Broker) -> None:
    with sending(kafka_broker.bootstrap) as sender:
        status, headers, answer = sender.post(body(1, 2))
        assert (status, headers["content-type"]) == (200, PROTOBUF)
        assert ExportTraceServiceResponse.FromString(answer) == ExportTraceServiceResponse()
        # What is answered for is there: nothing is waited for.
        assert published(kafka_broker.bootstrap) == ["r1", "r2"]
        third = as_json(request(written(chat(3))))
        status, headers, answer = sender.post(third, "application/json; charset=utf-8")
        assert (status, headers["content-type"], answer) == (200, "application/json", b"{}")
        status, _, _ = sender.post(gzip.compress(body(4)), Content_Encoding="gzip")
        assert status == 200
        assert published(kafka_broker.bootstrap) == ["r1", "r2", "r3", "r4"]
        assert sender.counted("events", kind="interaction") == 4
        assert sender.counted("requests", signal="traces", status="200") == 3
        assert b"drift_aware_ingest_events_total" in sender.get("/metrics")[2]


def test_an_empty_request_is_fine(kafka_broker: Broker) -> None:
    with sending(kafka_broker.bootstrap) as sender:
        assert sender.post(b"")[0] == 200
        assert sender.post(b"{}", "application/json", "/v1/logs")[0] == 200


def test_a_request_that_is_repeated_is_published_once(kafka_broker: Broker) -> None:
    again = body(1, 2)
    with sending(kafka_broker.bootstrap) as sender:
        for _ in range(3):
            assert sender.post(again)[0] == 200
        assert sender.counted("repeated") == 4
        assert sender.counted("events", kind="interaction") == 2
    assert published(kafka_broker.bootstrap) == ["r1", "r2"]


@pytest.mark.parametrize(
    ("status", "content", "form", "headers"),
    [
        (415, b"<a/>", "text/xml", {}),
        (415, b"x", PROTOBUF, {"Content_Encoding": "br"}),
        (400, b"\xff\xff\xff", PROTOBUF, {}),
        (400, b"{", "application/json", {}),
        (400, b"{}", PROTOBUF, {}),
        (400, b"no gzip", PROTOBUF, {"Content_Encoding": "gzip"}),
        (400, gzip.compress(b"{}", mtime=0)[:-4], PROTOBUF, {"Content_Encoding": "gzip"}),
        (413, b"\n" * 2_000, PROTOBUF, {}),
        (413, gzip.compress(b"\n" * 1_000_000, mtime=0), PROTOBUF, {"Content_Encoding": "gzip"}),
    ],
)
def test_what_is_no_otlp_is_refused_for_good(
    status: int, content: bytes, form: str, headers: dict[str, str]
) -> None:
    with sending(NOBODY, otlp={"max_body_bytes": 1_000}) as sender:
        found, given, answer = sender.post(content, form, **headers)
        assert (found, "retry-after" in given) == (status, False)
        if form == PROTOBUF:
            assert Status.FromString(answer).message
        else:
            assert json.loads(answer)["message"]


def test_what_can_never_be_published_is_said_and_not_asked_for_again(kafka_broker: Broker) -> None:
    bad = chat(2) | {"llm.cost.total": -1.0}
    with sending(kafka_broker.bootstrap) as sender:
        status, _, answer = sender.post(request(written(chat(1), bad)).SerializeToString())
        partial = ExportTraceServiceResponse.FromString(answer).partial_success
        assert (status, partial.rejected_spans) == (200, 1)
        assert "cost_usd" in partial.error_message
    assert published(kafka_broker.bootstrap) == ["r1"]


def test_without_kafka_senders_are_told_to_come_again_and_health_says_so() -> None:
    with sending(NOBODY) as sender:
        assert sender.get("/health")[0] == 200
        status, headers, answer = sender.post(body(1))
        assert (status, headers["retry-after"]) == (503, "5")
        assert "send it again" in Status.FromString(answer).message
        assert NOBODY.encode() not in answer
        assert sender.get("/health")[0] == 503


def test_a_kafka_that_comes_back_gets_what_was_refused_meanwhile(
    kafka_server: KafkaServer, kafka_broker: Broker
) -> None:
    with sending(kafka_broker.bootstrap) as sender:
        assert sender.post(body(1))[0] == 200
        kafka_server.stop()
        assert sender.post(body(2))[0] == 503
        kafka_server.start()
        assert sender.post(body(2))[0] == 200
        assert sender.get("/health")[0] == 200
    assert published(kafka_broker.bootstrap) == ["r1", "r2"]


def test_a_port_that_is_taken_is_said() -> None:
    with sending(NOBODY) as sender:
        port = int(sender.url.rpartition(":")[2])
        made = make_settings(NOBODY)
        metrics = IngestMetrics(make_registry())
        app = application(Receiver(made, Intake(made), metrics), metrics, make_registry(), 1_000)
        message = f"cannot listen on 127.0.0.1:{port}"
        with pytest.raises(SettingsError, match=message), listening(app, "127.0.0.1", port):
            pass


def test_of_the_last_so_many_none_is_forgotten() -> None:
    spans = [Span("t", f"{number:x}", "", 0, 0, {}) for number in range(5)]
    recent = Recent(3)
    for span in spans:
        recent.add(span)
        recent.add(span)
    assert [span in recent for span in spans] == [False, False, True, True, True]
