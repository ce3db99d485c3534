"""OTLP over HTTP: requests of senders, answered when Kafka has what they hold.

Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

import asyncio
import json
import socket
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
import uvicorn
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from drift_aware.producers.otlp.intake import Signal, Taken
from drift_aware.producers.otlp.receiver import Receiver
from drift_aware.producers.otlp.spans import is_json
from drift_aware.schema.errors import BadEvent, SettingsError, Unreachable
from drift_aware.schema.metrics import IngestMetrics

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
RETRY_AFTER_SECONDS = 5
BODY_SECONDS = 10.0
# Of google.rpc.Code, which the answers name.
_INVALID_ARGUMENT, _UNAVAILABLE = 3, 14
_GRACE_SECONDS = 10
_MOST_CONNECTIONS = 200

log = structlog.get_logger(__name__)


class Refusal(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def application(
    receiver: Receiver, metrics: IngestMetrics, registry: CollectorRegistry, max_body_bytes: int
) -> Starlette:
    """The routes.

    Args:
        receiver: takes what comes.
        metrics: counts requests.
        registry: what ``/metrics`` shows.
        max_body_bytes: of a request, unpacked.
    """

    async def export(request: Request) -> Response:
        signal: Signal = "traces" if request.url.path.endswith("traces") else "logs"
        form = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            if form not in (PROTOBUF, JSON):
                raise Refusal(415, f"send {PROTOBUF} or {JSON}")
            body = await _body(request, max_body_bytes)
            if bool(body) and is_json(body) != (form == JSON):
                raise Refusal(400, f"the body is not {form}")
            answer = _accepted(signal, form, await run_in_threadpool(receiver.take, signal, body))
        except Refusal as refusal:
            answer = _refused(form, refusal.status, _INVALID_ARGUMENT, str(refusal))
        except BadEvent as error:
            answer = _refused(form, 400, _INVALID_ARGUMENT, str(error))
        except Unreachable as error:
            log.warning("not published", why=str(error))
            answer = _refused(form, 503, _UNAVAILABLE, "Kafka does not take it now; send it again")
        metrics.requests.labels(signal, str(answer.status_code)).inc()
        return answer

    async def health(_: Request) -> Response:
        return JSONResponse({"kafka": receiver.healthy}, 200 if receiver.healthy else 503)

    async def scraped(_: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[
            Route("/v1/traces", export, methods=["POST"]),
            Route("/v1/logs", export, methods=["POST"]),
            Route("/health", health),
            Route("/metrics", scraped),
        ]
    )


@contextmanager
def listening(app: Starlette, host: str, port: int) -> Iterator[int]:
    """Answer on that port inside the block; the port, of which 0 takes any.

    Raises:
        SettingsError: the port cannot be had.
    """
    config = uvicorn.Config(
        app,
        http="h11",
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    server = uvicorn.Server(config)
    with _socket(host, port) as place:
        thread = threading.Thread(target=server.run, args=([place],), name="otlp-listener")
        thread.start()
        try:
            number: int = place.getsockname()[1]
            log.info("listening for OTLP", host=host, port=number)
            yield number
        finally:
            server.should_exit = True
            thread.join()


def _socket(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise SettingsError(f"cannot listen on {host}:{port}: {error.strerror}; choose another") from None


async def _body(request: Request, most: int) -> bytes:
    """The body, unpacked.

    Raises:
        Refusal: it is too large, or packed in a way that we cannot undo.
    """
    packing = request.headers.get("content-encoding", "identity").lower()
    if packing not in ("gzip", "identity"):
        raise Refusal(415, "the only content encoding known here is gzip")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > most:
                    raise Refusal(413, f"larger than {most} bytes; send smaller batches")
    except ClientDisconnect:
        raise Refusal(400, "half a request") from None
    except TimeoutError:
        raise Refusal(408, f"the body did not come within {BODY_SECONDS:g} s") from None
    return _unpacked(bytes(body), most) if packing == "gzip" else bytes(body)


def _unpacked(body: bytes, most: int) -> bytes:
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        unpacked = unpacker.decompress(body, most + 1)
    except zlib.error:
        raise Refusal(400, "the body is not gzip") from None
    if len(unpacked) > most:
        raise Refusal(413, f"larger than {most} bytes; send smaller batches")
    if not unpacker.eof:
        raise Refusal(400, "half a body")
    return unpacked


def _accepted(signal: Signal, form: str, taken: Taken) -> Response:
    """All of it, or all but what can never be published: that is not to be sent again."""
    rejected = sum(count for (name, _), count in taken.counts.items() if name == "refused")
    if form == JSON:
        which = "rejectedSpans" if signal == "traces" else "rejectedLogRecords"
        partial = {"partialSuccess": {which: str(rejected), "errorMessage": taken.refused}}
        return Response(json.dumps(partial if rejected else {}), media_type=JSON)
    if signal == "traces":
        traces = ExportTraceServiceResponse()
        if rejected:
            traces.partial_success.rejected_spans = rejected
            traces.partial_success.error_message = taken.refused or ""
        return Response(traces.SerializeToString(), media_type=PROTOBUF)
    logs = ExportLogsServiceResponse()
    if rejected:
        logs.partial_success.rejected_log_records = rejected
        logs.partial_success.error_message = taken.refused or ""
    return Response(logs.SerializeToString(), media_type=PROTOBUF)


def _refused(form: str, status: int, code: int, message: str) -> Response:
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else {}
    if form == PROTOBUF:
        return Response(
            Status(code=code, message=message).SerializeToString(), status, headers, media_type=PROTOBUF
        )
    return Response(json.dumps({"code": code, "message": message}), status, headers, media_type=JSON)
