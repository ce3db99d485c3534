"""Runs of LangChain that are under way, and the interaction each tree of them amounts to. No IO."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from uuid import UUID

from drift_aware.producers.integrations import context
from drift_aware.producers.integrations.answers import Answer
from drift_aware.producers.integrations.calls import CANCELLED

# Runs whose end never comes; a stream that is not read to its end may be such.
_MOST_OPEN = 10_000


class Tree:
    """A run that has no parent, and all that runs inside it.

    Attributes:
        id: of the outermost run; the interaction's.
        question: in what it was given; None if there is none in it, or it comes with the end.
        fields: of the interaction, as the application has named them.
    """

    def __init__(self, run: UUID, clock: Callable[[], float], timer: Callable[[], float]) -> None:
        self.id = run
        self.question: str | None = None
        self.fields: dict[str, Any] = context.of_interaction()
        self._ts = round(clock() * 1000)
        self._timer = timer
        self._start = timer()
        self._model: str | None = None
        self._prompt: str | None = None
        self._calls: list[Answer] = []

    def calls(self, model: str | None, prompt: str | None) -> None:
        """A model is about to be called, by the application's name for it; what the first is asked counts."""
        self._model = model or self._model
        self._prompt = self._prompt or prompt

    def add(self, answer: Answer) -> None:
        """A model has answered, or failed to."""
        self._calls.append(answer)

    def interaction(self, answer: str | None, error: BaseException | None) -> dict[str, Any] | None:
        """All fields, once the outermost run has ended; None if no model was called and nothing failed.

        Args:
            answer: what it gave; that of the last model if there is no text in it.
            error: what it raised.
        """
        if not self._calls and not isinstance(error, Exception):
            return None
        last = self._calls[-1] if self._calls else Answer()
        wanted_to_end = error is not None and not isinstance(error, Exception)
        return self.fields | {
            "id": str(self.id),
            "ts": self._ts,
            "model": self._model or last.model,
            "user_query": self.question or self._prompt,
            "model_response": answer or last.text,
            "refusal": last.refusal,
            "finish_reason": CANCELLED if wanted_to_end else last.finish_reason,
            "error": type(error).__name__ if isinstance(error, Exception) else None,
            "latency_ms": (self._timer() - self._start) * 1000,
            "input_tokens": _sum([call.input_tokens for call in self._calls]),
            "output_tokens": _sum([call.output_tokens for call in self._calls]),
            "labels": self._labels(last),
        }

    def _labels(self, last: Answer) -> dict[str, str] | None:
        labels: dict[str, str] | None = self.fields.get("labels")
        if last.model in (None, self._model) or self._model is None:
            return labels
        return {**(labels or {}), "response_model": str(last.model)}


class Forest:
    """The trees that are under way; any thread may call.

    Args:
        clock: the time in seconds since 1970.
        timer: seconds, monotonic.
    """

    def __init__(
        self, clock: Callable[[], float] = time.time, timer: Callable[[], float] = time.perf_counter
    ) -> None:
        self._clock = clock
        self._timer = timer
        self._lock = threading.Lock()
        self._open: OrderedDict[UUID, Tree] = OrderedDict()

    def begin(self, run: UUID, parent: UUID | None) -> Tree:
        """A run begins; the tree it belongs to. One whose parent nobody has told of is a tree of its own."""
        with self._lock:
            tree = self._open.get(parent) if parent is not None else None
            if tree is None:
                tree = Tree(run, self._clock, self._timer)
            self._open[run] = tree
            if len(self._open) > _MOST_OPEN:
                self._open.popitem(last=False)
            return tree

    def find(self, run: UUID) -> Tree | None:
        """The tree of a run that is under way."""
        with self._lock:
            return self._open.get(run)

    def end(self, run: UUID) -> Tree | None:
        """A run has ended; its tree, if the tree has ended with it."""
        with self._lock:
            tree = self._open.pop(run, None)
        return tree if tree is not None and tree.id == run else None

    def __len__(self) -> int:
        return len(self._open)


def _sum(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
