"""Results as lines of JSON, so that a run that was cut short goes on where it was."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

Task = TypeVar("Task")
Result = TypeVar("Result")


class Journal(Generic[Result]):
    """A file of results.

    Args:
        path: of the file; it need not be there yet.
        kind: type of the results, or a union of types.
    """

    def __init__(self, path: Path, kind: Any) -> None:
        self._path, self._kind = path, kind

    def kept(self) -> list[Result]:
        """What is finished; a line cut short by the end of its process is left out."""
        if not self._path.exists():
            return []
        results = []
        for line in self._path.read_bytes().splitlines():
            try:
                results.append(msgspec.json.decode(line, type=self._kind))
            except msgspec.DecodeError:
                continue
        return results

    def played(self, play: Callable[[Task], Result], due: Iterable[Task], jobs: int) -> Iterator[Result]:
        """Do what is due in so many processes, and keep each result as soon as it is there."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with ProcessPoolExecutor(jobs) as pool, self._path.open("ab") as file:
            for future in as_completed([pool.submit(play, task) for task in due]):
                result = future.result()
                # The newline comes first: it ends a line that an earlier run left half written.
                file.write(b"\n" + msgspec.json.encode(result))
                file.flush()
                yield result
