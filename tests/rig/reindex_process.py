"""A reindex in a process that may be killed: ``python -m rig.reindex_process``, with JSON as its argument.

It goes through the steps as the engine does: what has begun and not ended is looked for first.
"""

import json
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rig.reindexing import Bench


def main() -> None:
    """Carry the action ``a1`` out; die after the step ``die_at``, before its result is kept."""
    given = json.loads(sys.argv[1])
    bench = Bench(given["url"], SimpleNamespace(url=given["endpoint"]), Path(given["file"]))  # type: ignore[arg-type]
    state = Path(given["state"])
    kept: dict[str, Any] = json.loads(state.read_text()) if state.exists() else {}
    executor = bench.executor()
    for step in executor.steps:
        results = {name: result for name, result in kept.items() if result is not None}
        if step in results:
            continue
        found = executor.find(step, bench.job(**results)) if step in kept else None
        state.write_text(json.dumps(kept | {step: None}))
        result = found or executor.do(step, bench.job(**results))
        if step == given["die_at"]:
            os.kill(os.getpid(), signal.SIGKILL)
        kept[step] = dict(result)
        state.write_text(json.dumps(kept))


if __name__ == "__main__":
    main()
