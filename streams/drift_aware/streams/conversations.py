"""Which events open a conversation.

Values inside a conversation are correlated: a user who is refused once is refused again. Counted one by one
they would break every promise about false alarms, so of each conversation only the first event counts in the
statistics, at once; every event counts in the totals and in what is shown. An event without a session stands
for itself.

A session is open until it has been idle for long enough in event time. Open sessions are kept by the pane in
which they were last noted, so that they can be written to few rows and dropped together.
"""

from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b

_DIGEST = 8  # bytes of a session's name that are kept


class Conversations:
    """The open sessions of one source partition.

    Args:
        idle_ms: for how long a session must be silent to be over.
        rows: to go on from: pane to the digests noted in it.

    Attributes:
        changed: panes whose rows are not as they were; ``row`` gives them.

    >>> conversations = Conversations(60_000)
    >>> [conversations.opens("s", ts, pane=ts) for ts in (0, 50_000, 90_000, 150_001)]
    [True, False, False, True]
    """

    def __init__(self, idle_ms: int, rows: Mapping[int, bytes] | None = None) -> None:
        self._idle_ms = idle_ms
        self._noted: dict[bytes, tuple[int, int]] = {}  # digest to pane and time
        self._rows: dict[int, dict[bytes, int]] = {}
        self.changed: set[int] = set()
        for pane, packed in sorted((rows or {}).items()):
            for digest, ts in _unpacked(packed):
                self._note(digest, pane, ts)
        self.changed.clear()

    def opens(self, session: str, ts: int, pane: int) -> bool:
        """Whether an event is the first of its session. Events come in the order of their source.

        Args:
            session: its name.
            ts: event time in milliseconds; ``pane`` the start of the event's pane.
            pane: where it is noted.
        """
        digest = _digest(session)
        known = self._noted.get(digest)
        first = known is None or ts - known[1] > self._idle_ms
        # Noted again only when half of its time is over: most events cost no row.
        if known is None or ts - known[1] > self._idle_ms // 2:
            self._note(digest, pane, ts)
        return first

    def forget(self, watermark: int) -> None:
        """Drop the sessions that are over at a watermark."""
        for pane in [pane for pane, row in self._rows.items() if _newest(row) + self._idle_ms < watermark]:
            for digest in self._rows.pop(pane):
                if self._noted[digest][0] == pane:
                    del self._noted[digest]
            self.changed.add(pane)

    def row(self, pane: int) -> bytes | None:
        """The row of a pane; None if nothing is noted in it any more."""
        noted = self._rows.get(pane)
        if not noted:
            return None
        return b"".join(digest + ts.to_bytes(8, "little") for digest, ts in noted.items())

    def _note(self, digest: bytes, pane: int, ts: int) -> None:
        self._noted[digest] = pane, ts
        self._rows.setdefault(pane, {})[digest] = ts
        self.changed.add(pane)


@lru_cache(20_000)
def _digest(session: str) -> bytes:
    return blake2b(session.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).digest()


def _newest(row: Mapping[bytes, int]) -> int:
    return max(row.values(), default=0)


def _unpacked(packed: bytes) -> list[tuple[bytes, int]]:
    step = _DIGEST + 8
    return [
        (packed[at : at + _DIGEST], int.from_bytes(packed[at + _DIGEST : at + step], "little"))
        for at in range(0, len(packed), step)
    ]
