"""The stream worker: a Faust app of two agents, one for each stage.

Each agent takes a batch of records and gives it to its cursor; timers write and send what has changed. All
that is specific to drift is in the stages, which know neither Faust nor Kafka.
"""

import asyncio
import gc
import logging
import time
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import faust
import structlog
from prometheus_client import CollectorRegistry

from drift_aware.schema.events import Kind
from drift_aware.schema.metrics.metric import make_registry
from drift_aware.schema.progress import Advance
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import (
    LARGEST_BYTES,
    MONITORS_TABLE,
    PANES_TABLE,
    SOURCES,
    SUMMARIES,
    WORKER_APP,
    require,
)
from drift_aware.streams.catalogue import Follower
from drift_aware.streams.credentials import credentials
from drift_aware.streams.cursor import Cursor, Die, Positions, die
from drift_aware.streams.detect import Detect
from drift_aware.streams.health import Health, serve
from drift_aware.streams.labels import label, prepare
from drift_aware.streams.metrics import WorkerMetrics
from drift_aware.streams.summarise import Summarise

_log = structlog.get_logger(__name__)

FLUSH_SECONDS = 0.5
WATCH_SECONDS = 1.0
# After a write so many times its length pass before the next, but no more seconds than that. Sending the rows
# takes as long again as making them, and is not in that length.
WRITING_SHARE = 16.0
LONGEST_SECONDS = 8.0
SIZE_SECONDS = 15.0
# A partition has one batch on its way at a time.
BATCH_BYTES = 1 << 18
# Less than most supervisors wait before they kill.
LEAVE_SECONDS = 25.0
MOST_RECORDS = 100
# The panes of hours may close at once; in between the worker must show that it lives.
SLICE_SECONDS = 0.25
MOST_PANES = 5_000


def run(settings: Settings) -> None:
    """Run the worker until it is told to stop; never returns.

    Raises:
        Unreachable: no Kafka, or topics are missing.
        SettingsError: no address, another number of partitions, or a port that is taken.
    """
    require(settings)
    # It warns of a full buffer whenever a hundred rows are written at once, as here after every catch-up.
    logging.getLogger("faust.transport.producer").setLevel(logging.ERROR)
    registry = make_registry()
    # Not at the first record: on a busy machine the loop would stand still for longer than a session.
    prepare()
    summarise = Summarise(settings, label, most_panes=MOST_PANES)
    app, positions = build(settings, summarise, registry)
    serve(settings.prometheus_port, registry, Health(positions))
    Follower(settings, summarise.compare_with).start()
    Thread(target=_show_recovery, args=(positions,), name="recovery", daemon=True).start()
    collect_seldom()
    worker = faust.Worker(
        app, override_logging=False, redirect_stdouts=False, quiet=True, loglevel=settings.log_level
    )
    Thread(target=leave_in_time, args=(lambda: worker.should_stop,), name="leave", daemon=True).start()
    worker.execute_from_commandline()


def collect_seldom() -> None:
    """Make Python look for garbage in cycles less often.

    A pane is thousands of small objects and no cycles, and the collector looks at the young ones after every
    700: with a thousand segments that took a third of the processor.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def leave_in_time(
    stopping: Callable[[], bool], stop: Die = die, sleep: Callable[[float], None] = time.sleep
) -> None:
    """End a process that was told to stop and does not: Faust may wait for a rebalance that never comes.

    Args:
        stopping: whether it was told to.
        stop: ends it; what is not written is read again by whoever comes next.
        sleep: for so many seconds.
    """
    while not stopping():
        sleep(WATCH_SECONDS)
    sleep(LEAVE_SECONDS)
    stop(f"it was told to stop {LEAVE_SECONDS:.0f} s ago, and has not ended")


def _show_recovery(positions: Positions) -> None:
    """Say how far the first recovery is; Faust's timers run only after it."""
    with Advance("recovering") as job:
        total = 0
        while not positions.ready:
            time.sleep(WATCH_SECONDS)
            left = positions.recovery[1]
            total = max(total, left)
            job.reach(total - left, total or None)


class _OnNoDisk(faust.App):
    """Without the folder that Faust makes for tables in memory too, and that a kill leaves behind."""

    def _create_directories(self) -> None:
        pass


def build(settings: Settings, summarise: Summarise, registry: CollectorRegistry) -> tuple[Any, Positions]:
    """The Faust app, and where it stands.

    Args:
        settings: everything.
        summarise: the first stage.
        registry: where its metrics go.
    """
    app = _app(settings)
    metrics = WorkerMetrics(registry, settings)
    positions = Positions(app)
    detect = Detect(settings, metrics, slice_seconds=SLICE_SECONDS)
    sources = [topic.name for topic in SOURCES.values()]
    first = positions.add(summarise, _table(app, PANES_TABLE, settings), sources, metrics.failed)
    second = positions.add(detect, _table(app, MONITORS_TABLE, settings), [SUMMARIES.name], metrics.failed)
    heard = Silence(settings)

    @app.agent(app.topic(*sources, key_serializer="raw", value_serializer="raw"), name="summarise")
    async def summarise_agent(stream: Any) -> None:
        async for events in stream.take_events(MOST_RECORDS, within=0.1):
            for event in events:
                metrics.records.labels(event.message.topic).inc()
                heard.noted(event.message.topic, event.message.partition)
            await first.apply(events)

    @app.agent(app.topic(SUMMARIES.name, key_serializer="raw", value_serializer="raw"), name="detect")
    async def detect_agent(stream: Any) -> None:
        async for events in stream.take_events(MOST_RECORDS, within=0.1):
            await second.apply(events)

    def write() -> Iterator[None]:
        for partition in first.owned():
            first.flush(partition)
            _send_watermarks(first, summarise, heard, partition)
            yield
        detect.listen(round(time.time() * 1000))
        for partition in second.owned():
            second.flush(partition)
            yield

    _keep_time(app, positions, write)
    _show(app, metrics, positions, summarise, detect)
    return app, positions


def _keep_time(app: Any, positions: Positions, write: Callable[[], Iterator[None]]) -> None:
    """What happens every so often; timers run only once the worker has started.

    Args:
        app: of Faust.
        positions: of all stages.
        write: writes and sends what has changed, a partition at a time.
    """
    pace = Pace()

    def may_write() -> bool:
        # Once the app stops its producer closes, and what came then would end the process with an error.
        return positions.ready and not app.should_stop

    @app.timer(FLUSH_SECONDS)
    async def flush() -> None:
        if may_write() and (pace.is_due() or positions.urgent):
            for _ in pace.through(write()):
                await asyncio.sleep(0)
                if not may_write():
                    return

    @app.timer(WATCH_SECONDS)
    async def watch() -> None:
        await positions.watch()


def _show(
    app: Any, metrics: WorkerMetrics, positions: Positions, summarise: Summarise, detect: Detect
) -> None:
    """Metrics that are asked for every so often."""

    @app.timer(WATCH_SECONDS)
    async def show() -> None:
        metrics.show(positions, summarise)
        metrics.series.compare(detect.windows)

    @app.timer(SIZE_SECONDS)
    async def size() -> None:
        metrics.show_size(positions)


class Pace:
    """When to write: soon, unless a write takes long; then writing shall be a small part of the work.

    What is written is written for every key that has changed, so with thousands of segments it costs as much
    as counting, if it is done twice a second.

    Args:
        clock: monotonic seconds.

    >>> now = [0.0]
    >>> pace = Pace(lambda: now[0])
    >>> def write():
    ...     now[0] += 0.2  # it takes that long
    ...     yield
    >>> found = []
    >>> for second in range(6):
    ...     now[0] = second
    ...     if pace.is_due():
    ...         found.append(second)
    ...         for _ in pace.through(write()):
    ...             now[0] += 0.3  # others have their turn
    >>> found
    [0, 4]
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._now, self._due = clock, 0.0

    def is_due(self) -> bool:
        """Whether to write now."""
        return self._now() >= self._due

    def through(self, parts: Iterator[None]) -> Iterator[None]:
        """Write part by part; what is done in between does not count. Given up halfway, it is due again."""
        spent, begun = 0.0, self._now()
        for _ in parts:
            spent += self._now() - begun
            yield
            begun = self._now()
        now = self._now()
        spent += now - begun
        self._due = now + min(WRITING_SHARE * spent, LONGEST_SECONDS)


class Silence:
    """How long nothing has come from each source; a source is idle when no pane can wait for it any more.

    Silence begins anew when a worker takes a partition over: it does not know how long ago the last record
    came, and the panes that it finds open are still being filled.

    Args:
        settings: panes and lateness.
        clock: monotonic seconds.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._enough = settings.pane_seconds + settings.allowed_lateness_seconds
        self._now = clock
        self._last: dict[tuple[str, int], float] = {}

    def noted(self, topic: str, partition: int) -> None:
        """A record came."""
        self._last[topic, partition] = self._now()

    def lasts(self, topic: str, partition: int, since: float) -> bool:
        """Whether nothing has come for so long.

        Args:
            topic: of the source; ``partition`` too.
            partition: as above.
            since: when it was taken over, on the monotonic clock.
        """
        last = max(self._last.get((topic, partition), since), since)
        return self._now() - last > self._enough


def _send_watermarks(cursor: Cursor, summarise: Summarise, heard: Silence, partition: int) -> None:
    def idle(kind: Kind) -> bool:
        topic = SOURCES[kind].name
        silent = cursor.untouched(topic, partition) or heard.lasts(topic, partition, cursor.since)
        return silent and cursor.caught_up(topic, partition)

    cursor.send(summarise.watermarks(partition, idle))


def _app(settings: Settings) -> Any:
    kafka = settings.kafka
    return _OnNoDisk(
        WORKER_APP,
        broker=[f"kafka://{server}" for server in str(kafka.bootstrap_servers).split(",")],
        broker_credentials=credentials(kafka),
        broker_session_timeout=kafka.session_timeout_seconds,
        broker_heartbeat_interval=kafka.session_timeout_seconds / 4,
        broker_rebalance_timeout=max(10, kafka.session_timeout_seconds),
        broker_max_poll_records=500,
        broker_commit_interval=2.8,
        consumer_auto_offset_reset="earliest",
        producer_acks=-1,
        producer_max_request_size=LARGEST_BYTES,
        producer_max_batch_size=BATCH_BYTES,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        stream_buffer_maxsize=16_384,
        table_standby_replicas=0,
        topic_partitions=kafka.partitions,
        topic_disable_leader=True,
        topic_allow_declare=False,  # topics are created by `drift-aware topics create` alone
        store="memory://",
        web_enabled=False,
    )


def _table(app: Any, name: str, settings: Settings) -> Any:
    return app.Table(name, key_type=bytes, value_type=bytes, partitions=settings.kafka.partitions)
