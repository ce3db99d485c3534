"""Exact positions on Faust tables: the table, not the committed offset, says where to go on.

Faust commits offsets and writes table rows separately, so after a crash or a rebalance events would be lost
or counted twice. Here each source partition has one more row, with the next offset to read, written after the
rows it speaks for and to the same changelog partition. Whatever part of the changelog survives, its rows are
at or ahead of that offset, never behind, and rows skip what they have seen (``Stage``). Committed offsets
are left as lag information.

This module knows Faust's private names; pyproject.toml pins the release they belong to.
"""

import asyncio
import contextlib
import logging
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Any

import faust
import structlog
from aiokafka.errors import IllegalStateError
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Producer
from faust.types import TP

from drift_aware.schema.envelope import DeadLetter, content_type
from drift_aware.schema.topics import changelog
from drift_aware.streams.batches import Batches
from drift_aware.streams.stage import Input, Output, Stage

_log = structlog.get_logger(__name__)

# A supervisor must start the worker again after this exit code: its state could have become wrong.
EXIT_UNSAFE = 3
GAP_SECONDS = 3.0
FETCH_WAIT_MS = 100
RESEEK_AFTER_SECONDS = 10.0
STUCK_SECONDS = 60.0
RECOVERY_STUCK_SECONDS = 60.0
BROKER_AWAY_SECONDS = 120.0
ANSWER_SECONDS = 10.0
BEAT_SECONDS = 0.5

Die = Callable[[str], None]


def die(reason: str) -> None:
    """Stop at once, without commits: what is not written is read again."""
    _log.critical("the worker stops, to be started again by its supervisor", reason=reason)
    sys.stderr.flush()
    os._exit(EXIT_UNSAFE)


def _standing_time() -> float:
    """Seconds that go on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class _NoReadOffsets(dict[TP, int | None]):
    """Faust drops records below the last one it has read, and so eats what is read again after a seek."""

    def __getitem__(self, tp: TP) -> None:
        return None


class BrokerThread(AIOKafkaConsumerThread):
    """The thread that talks to the broker, mended in three places.

    Faust leaves out of a commit what has been revoked meanwhile, and crashes if nothing is left. It lets a
    fetch that finds nothing wait at the broker for a second and a half, and as long as that one waits no
    partition of the broker is fetched from. And aiokafka hands out all it has of a partition before it
    turns to the next: of well compressed records that may be half a million events, so that panes stay open
    for long, and a partition can look as if it stood still.
    """

    logger = logging.getLogger("faust.cursor")

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        if self.assignment().isdisjoint(offsets):
            return False
        return bool(await super()._commit(offsets))

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: set[TP],
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> Mapping[TP, list[Any]]:
        records: Mapping[TP, list[Any]] = await super()._fetch_records(
            consumer, active_partitions, timeout, max_records
        )
        waiting = consumer._fetcher._records
        for tp in records:
            if tp in waiting:
                waiting.move_to_end(tp)
        return records


class _StopOnSendError(faust.Sensor):
    """Faust only logs a rejected changelog write and goes on to commit: the state would lie."""

    logger = logging.getLogger("faust.cursor")  # else Faust's chatter would come under our name

    def __init__(self, positions: "Positions") -> None:
        super().__init__()
        self._positions = positions

    def on_send_error(self, producer: Any, exc: BaseException, state: Any) -> None:
        del producer, state
        self._positions.reject(exc)


class Cursor:
    """One stage on one table: where it stands in each partition of its topics.

    Args:
        positions: of the whole app.
        stage: the pure code.
        table: bytes to bytes.
        topics: what the stage reads.
        failed: told of every dead letter.

    Attributes:
        next: the next offset of each partition it has.
        since: when it took them over, on the monotonic clock.
        ready: whether it has.
    """

    def __init__(
        self,
        positions: "Positions",
        stage: Stage,
        table: Any,
        topics: Sequence[str],
        failed: Callable[[str, DeadLetter], None],
    ) -> None:
        self._positions, self._stage, self._table, self._topics = positions, stage, table, topics
        self._failed = failed
        self.next: dict[TP, int] = {}
        self._moved: dict[TP, float] = {}
        self._gapped: set[TP] = set()
        self._sought: dict[TP, float] = {}
        self._dirty: set[TP] = set()
        # Dead letters that the broker has not yet confirmed; the position must not pass them.
        self._burying: dict[TP, dict[int, int]] = defaultdict(dict)
        self.since = 0.0
        self.ready = False

    async def apply(self, events: Iterable[Any]) -> None:
        """Fold the events that come next; skip what was counted, drop what lies beyond a gap.

        A record that takes long is folded in slices. In between others have their turn, and a rebalance may
        come: what is owned is looked at anew for each slice, and none of them waits within itself.
        """
        self._positions.refuse_after_standstill()
        for event in events:
            while not self._take(event.message):
                await asyncio.sleep(0)
                self._positions.refuse_after_standstill()

    def _take(self, message: Any) -> bool:
        """Fold a record if it comes next; whether there is no more to do with it."""
        tp = TP(message.topic, message.partition)
        expected = self.next.get(tp)
        if expected is None or message.offset < expected:
            return True  # not owned, or counted before
        if message.offset > expected:
            self._positions.gaps += 1
            self._gapped.add(tp)
            return True  # the watchdog seeks back
        done = self._fold(tp, message)
        if done:
            self.next[tp] = expected + 1
        self._dirty.add(tp)
        self._moved[tp] = time.monotonic()
        return done

    def flush(self, partition: int) -> None:
        """Write and send what has changed of a partition."""
        self._positions.refuse_after_standstill()
        changed = {tp for tp in self._dirty if tp.partition == partition}
        if changed:
            self._write(partition)
            self._dirty -= changed

    @property
    def urgent(self) -> bool:
        """Whether what has changed should be written soon."""
        return self._stage.urgent

    @property
    def name(self) -> str:
        """Of the table."""
        return str(self._table.name)

    def owned(self) -> list[int]:
        """The partitions this stage has now."""
        return sorted({tp.partition for tp in self.next})

    def caught_up(self, topic: str, partition: int) -> bool:
        """Whether all that the broker has of a partition is counted."""
        tp = TP(topic, partition)
        high = self._end(tp)
        return high is not None and self.next.get(tp, -1) >= high

    def standing(self) -> float:
        """For how many seconds a partition with unread records has stood still, at most."""
        now = time.monotonic()
        waiting = [tp for tp in list(self.next) if not self.caught_up(tp.topic, tp.partition)]
        return max([now - self._moved.get(tp, now) for tp in waiting], default=0.0)

    def lag(self) -> dict[str, int]:
        """Topic to records that the broker has and this stage has not counted."""
        lag = dict.fromkeys(self._topics, 0)
        for tp, position in self.next.items():
            lag[tp.topic] += max(0, (self._end(tp) or 0) - position)
        return lag

    def size(self) -> tuple[int, int]:
        """Rows of the table, and their bytes."""
        rows = self._rows()
        return len(rows), sum(len(key) + len(value) for key, value in rows.items())

    def untouched(self, topic: str, partition: int) -> bool:
        """Whether nothing has ever been counted of a partition."""
        return self.next.get(TP(topic, partition)) == 0

    def send(self, outputs: Iterable[Output]) -> None:
        """Queue records for the broker, in order."""
        for output in outputs:
            if output.partition is None:
                self._positions.channel(output.topic).send_soon(key=output.key, value=output.value)
            else:
                self._positions.pack(TP(output.topic, output.partition), output.key, output.value)

    def forget(self) -> None:
        """Partitions are going: drop everything until recovery has ended."""
        self.ready = False
        self.next.clear()
        self._gapped.clear()
        self._dirty.clear()
        self._burying.clear()
        self._stage.forget()

    def recover(self) -> None:
        """The table is complete: take positions and state from its rows."""
        owned = [tp for tp in self._positions.app.consumer.assignment() if tp.topic in self._topics]
        rows: dict[int, list[tuple[bytes, bytes]]] = defaultdict(list)
        notes: dict[int, dict[str, bytes]] = defaultdict(dict)
        stored: dict[TP, int] = {}
        for key, value in self._rows().items():
            partition, _, rest = key.partition(b"|")
            if rest.startswith(b"@|"):
                topic = rest[2:].decode()
                offset, _, note = value.partition(b"|")
                stored[TP(topic, int(partition))] = int(offset)
                notes[int(partition)][topic] = note
            else:
                rows[int(partition)].append((key, value))
        self.since = now = time.monotonic()
        for partition in sorted({tp.partition for tp in owned}):
            self._stage.restore(partition, rows[partition], notes[partition])
        for tp in owned:
            self.next[tp], self._moved[tp] = stored.get(tp, 0), now
            self._dirty.add(tp)  # what was sent before may be lost: send it again
        self.ready = True

    async def nudge(self) -> None:
        """Seek partitions back that stand still though the broker has more; give up if that does not help."""
        for tp, position in list(self.next.items()):
            now = time.monotonic()
            if self.caught_up(tp.topic, tp.partition):
                self._moved[tp] = now
            since_moved = now - self._moved.get(tp, now)
            # Behind a gap nothing comes that counts. Else others may be read first, and a seek would only
            # throw away what is fetched.
            patience = GAP_SECONDS if tp in self._gapped else RESEEK_AFTER_SECONDS
            if min(since_moved, now - self._sought.get(tp, 0)) < patience:
                continue
            if since_moved > STUCK_SECONDS:
                self._positions.stop(f"{tp.topic} {tp.partition} stands still at {position}")
            self._sought[tp] = now
            low = await self._positions.earliest(tp)
            if low is None or self.next.get(tp) != position:
                continue
            if low > position:
                _log.error("retention has deleted unread records", topic=tp.topic, partition=tp.partition)
                self._positions.lost += low - position
                position = self.next[tp] = low
            self._gapped.discard(tp)
            with contextlib.suppress(IllegalStateError):  # the same: it went away meanwhile
                await self._positions.app.consumer.seek(tp, position)

    def _end(self, tp: TP) -> int | None:
        """Where the broker's records of a partition end, as far as the last fetch told."""
        try:
            high: int | None = self._positions.app.consumer.highwater(tp)
        except AssertionError:
            return None  # aiokafka, in a thread of its own, has it no more; word of that is on its way
        return high

    def _fold(self, tp: TP, message: Any) -> bool:
        headers = message.headers or []
        stamp = message.timestamp
        record = Input(
            topic=tp.topic,
            partition=tp.partition,
            offset=message.offset,
            value=message.value,
            content_type=content_type(headers),
            appended_ms=round(stamp * 1000) if stamp and stamp > 0 else None,
        )
        letters: Sequence[DeadLetter] | None
        try:
            letters = self._stage.fold(record)
        except Exception as error:  # noqa: BLE001
            # A stage never raises on bad input; should it all the same, one record must not stop the rest.
            _log.exception("a record could not be counted", topic=tp.topic, offset=message.offset)
            letters = [DeadLetter(record.value or b"", record.content_type, "internal", repr(error))]
        for index, letter in enumerate(letters or ()):
            self._bury(tp, message, index, letter)
        return letters is not None

    def _bury(self, tp: TP, message: Any, index: int, letter: DeadLetter) -> None:
        headers = {
            "content-type": letter.content_type,
            "drift.errors.topic": tp.topic,
            "drift.errors.partition": str(tp.partition),
            "drift.errors.offset": str(message.offset),
            "drift.errors.index": str(index),
            "drift.errors.reason": letter.reason,
            "drift.errors.message": letter.message[:500],
        }
        self._failed(tp.topic, letter)
        burying = self._burying[tp]
        burying[message.offset] = burying.get(message.offset, 0) + 1
        sent = self._positions.channel(f"{tp.topic}.dlq").send_soon(
            key=message.key,
            value=letter.value,
            partition=tp.partition,
            headers={name: value.encode() for name, value in headers.items()},
        )
        sent.add_done_callback(lambda _: self._buried(tp, burying, message.offset))

    def _buried(self, tp: TP, burying: dict[int, int], offset: int) -> None:
        burying[offset] -= 1
        if not burying[offset]:
            del burying[offset]
            if self._burying.get(tp) is burying and tp in self.next:
                self._dirty.add(tp)

    def _write(self, partition: int) -> None:
        changes = self._stage.changes(partition)
        for key, value in changes.rows:
            self._put(partition, key, value)
        for tp, position in self.next.items():
            if tp.partition == partition:
                durable = min([position, *self._burying[tp]])
                note = self._stage.note(tp.topic, partition)
                self._put(partition, f"{partition}|@|{tp.topic}".encode(), b"%d|%b" % (durable, note))
        self.send(changes.outputs)

    def _rows(self) -> MutableMapping[bytes, bytes]:
        rows: MutableMapping[bytes, bytes] = self._table.data
        return rows

    def _put(self, partition: int, key: bytes, value: bytes | None) -> None:
        if value is None:
            self._rows().pop(key, None)
        else:
            self._rows()[key] = value
        self._positions.pack(TP(changelog(self.name).name, partition), key, value)


class Positions:
    """All cursors of one app, and the consumer that goes where they stand.

    Args:
        app: not yet started.
        stop: what to do when going on would make the state wrong.
    """

    def __init__(self, app: Any, stop: Die = die) -> None:
        self.app, self.stop = app, stop
        self.cursors: list[Cursor] = []
        self.gaps = 0
        self.lost = 0
        self.rejected = 0
        self.recovery_seconds = 0.0
        self._channels: dict[str, Any] = {}
        self._batches = Batches(self.reject)
        self._alive = _standing_time()
        self._watched = False
        self._began_recovery = time.monotonic()
        self._recovering: tuple[object, float] = (None, time.monotonic())
        self._away_since: float | None = None
        app.sensors.add(_StopOnSendError(self))
        app.transport.Consumer = self._consumer_class()
        app.transport.Producer = self._producer_class()

    def add(
        self, stage: Stage, table: Any, topics: Sequence[str], failed: Callable[[str, DeadLetter], None]
    ) -> Cursor:
        """Put a stage on a table."""
        cursor = Cursor(self, stage, table, topics, failed)
        self.cursors.append(cursor)

        async def recovered() -> None:
            cursor.recover()
            self._alive, self._watched = _standing_time(), True
            self.recovery_seconds = time.monotonic() - self._began_recovery

        table.on_recover(recovered)
        return cursor

    def channel(self, topic: str) -> Any:
        """A topic to send bytes to."""
        if topic not in self._channels:
            self._channels[topic] = self.app.topic(topic, key_serializer="raw", value_serializer="raw")
        return self._channels[topic]

    def pack(self, tp: TP, key: bytes, value: bytes | None) -> None:
        """Queue a record for a partition of the broker, behind those that are queued for it."""
        self._batches.put(self.app.producer._ensure_producer(), tp, key, value)

    def reject(self, error: BaseException) -> None:
        """The broker did not take a record."""
        self.rejected += 1
        self.stop(f"the broker rejected a write: {error!r}")

    @property
    def ready(self) -> bool:
        """Whether every stage has recovered and no rebalance is under way."""
        return all(cursor.ready for cursor in self.cursors) and not self.app.rebalancing

    @property
    def urgent(self) -> bool:
        """Whether what has changed should be written soon."""
        return any(cursor.urgent for cursor in self.cursors)

    @property
    def loop_age(self) -> float:
        """Seconds since the last beat."""
        return _standing_time() - self._alive

    @property
    def standing(self) -> float:
        """For how many seconds a partition with unread records has stood still, at most."""
        return max([cursor.standing() for cursor in self.cursors], default=0.0)

    @property
    def recovery(self) -> tuple[int, int]:
        """How far a recovery is: the generation of the group, and the rows that are left.

        Other threads ask too. Should Faust's books change under our eyes, so be it: we look again.
        """
        while True:
            with contextlib.suppress(RuntimeError):
                return self.app.consumer_generation_id, self.app.tables.recovery.active_remaining_total()

    def forget(self) -> None:
        """Partitions are going: every stage drops everything until recovery has ended."""
        self._began_recovery = time.monotonic()
        for cursor in self.cursors:
            cursor.forget()

    def refuse_after_standstill(self) -> None:
        """A process that stood still for a session may have lost its partitions without knowing it.

        Nor does it know in the middle of a rebalance, when no stage is ready and rows still wait to be sent.
        Before its first recovery it has nothing that could be wrong.
        """
        still = _standing_time() - self._alive
        if self._watched and still > self.app.conf.broker_session_timeout:
            self.stop(f"the process stood still for {still:.1f} s, longer than its session")

    def beat(self) -> None:
        """Show that the process runs; call it several times in a session."""
        self.refuse_after_standstill()
        self._alive = _standing_time()

    async def watch(self) -> None:
        """Look after all cursors; call it every second."""
        if not self.ready:
            self._watch_recovery()
            return
        self._recovering = (None, time.monotonic())
        for cursor in self.cursors:
            await cursor.nudge()

    async def earliest(self, tp: TP) -> int | None:
        """The first offset that the broker still has; None while it does not answer.

        Slow: the answer waits behind a running fetch. Only for partitions that stand still.
        """
        now = time.monotonic()
        try:
            offsets = await asyncio.wait_for(self.app.consumer.earliest_offsets(tp), ANSWER_SECONDS)
        except Exception as error:  # noqa: BLE001  (whatever it was, the broker is asked again)
            self._away_since = self._away_since or now
            _log.warning("the broker does not say where a partition begins", error=repr(error))
            if now - self._away_since > BROKER_AWAY_SECONDS:
                self.stop("the broker is out of reach")
            return None
        self._away_since = None
        return int(offsets[tp]) if offsets.get(tp) is not None else None

    def _watch_recovery(self) -> None:
        now = time.monotonic()
        progress = self.recovery
        if progress != self._recovering[0]:
            self._recovering = (progress, now)
        elif now - self._recovering[1] > RECOVERY_STUCK_SECONDS:
            self.stop(f"recovery makes no progress: {progress}")

    async def _seek(self, consumer: Any) -> None:
        if not all(cursor.ready for cursor in self.cursors):
            return  # called in the middle of a recovery
        positions: dict[TP, int] = {}
        for cursor in self.cursors:
            positions |= cursor.next
        if positions:
            await consumer.seek_wait(positions)

    def _consumer_class(self) -> type:
        positions = self

        class ExactConsumer(Consumer):
            logger = logging.getLogger("faust.cursor")
            _seeking: asyncio.Lock | None = None

            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                self._read_offset = _NoReadOffsets()

            def _new_consumer_thread(self) -> BrokerThread:
                return BrokerThread(self, loop=self.loop, beacon=self.beacon)

            async def on_start(self) -> None:
                self._beat()
                await super().on_start()

            def _beat(self) -> None:
                # The app's timers begin some time after a recovery, and need several turns of the loop; on a
                # busy machine that would pass for a standstill.
                if not self.should_stop:
                    positions.beat()
                    asyncio.get_running_loop().call_later(BEAT_SECONDS, self._beat)

            async def on_partitions_revoked(self, revoked: set[TP]) -> None:
                positions.forget()
                await super().on_partitions_revoked(revoked)

            async def perform_seek(self) -> None:
                if self._seeking is None:
                    self._seeking = asyncio.Lock()
                async with self._seeking:
                    await super().perform_seek()
                    await positions._seek(self)

        return ExactConsumer

    def _producer_class(self) -> type:
        positions = self

        class ExactProducer(Producer):
            logger = logging.getLogger("faust.cursor")

            async def flush(self) -> None:
                await positions._batches.flush()
                await super().flush()

            def _new_producer(self, transactional_id: str | None = None) -> Any:
                producer = super()._new_producer(transactional_id)
                send = producer._sender._send_produce_req

                async def send_unless_late(node_id: int, batches: Any) -> None:
                    # Rows that waited through a standstill would take the place of newer ones, of whoever has
                    # the partition now.
                    positions.refuse_after_standstill()
                    await send(node_id, batches)

                producer._sender._send_produce_req = send_unless_late
                return producer

        return ExactProducer
