"""Records packed straight into the producer's batches, those of a partition in their order.

Faust gives every record a message, futures and turns of the loop of its own; aiokafka also takes a batch as a
whole.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

from faust.types import TP


class Batches:
    """What waits to be sent, and the tasks that send it, one for each partition.

    Args:
        failed: told what went wrong with a batch; none is sent twice.
    """

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        self._failed = failed
        self._waiting: dict[TP, deque[Any]] = defaultdict(deque)
        self._senders: dict[TP, asyncio.Task[None]] = {}

    def put(self, producer: Any, tp: TP, key: bytes, value: bytes | None) -> None:
        """Pack a record; it is sent when the loop turns.

        Args:
            producer: aiokafka's; it has started.
            tp: where to.
            key: of the record.
            value: of the record; None deletes what a compacted topic has of the key.
        """
        waiting = self._waiting[tp]
        if not waiting or waiting[-1].append(timestamp=None, key=key, value=value) is None:
            waiting.append(producer.create_batch())
            waiting[-1].append(timestamp=None, key=key, value=value)  # the first fits, however large
        if tp not in self._senders:
            self._senders[tp] = asyncio.get_running_loop().create_task(self._send(producer, tp))

    async def flush(self) -> None:
        """Wait until the producer has taken everything; its own ``flush`` waits for the broker."""
        while self._senders:
            await asyncio.wait(self._senders.values())

    async def _send(self, producer: Any, tp: TP) -> None:
        waiting = self._waiting[tp]
        try:
            while waiting:
                batch = waiting.popleft()
                batch.close()
                # Waits until the producer has sent the partition's batch before.
                sent = await producer.send_batch(batch, tp.topic, partition=tp.partition)
                sent.add_done_callback(self._sent)
        except Exception as error:  # noqa: BLE001  (whatever it was, the batch is not with the broker)
            self._failed(error)
        finally:
            del self._senders[tp]

    def _sent(self, sent: asyncio.Future[Any]) -> None:
        if not sent.cancelled() and (error := sent.exception()) is not None:
            self._failed(error)
