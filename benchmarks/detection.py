"""How many events does it take to see a change, at equal average run length? Ours and others, real queries.

    python benchmarks/detection.py [--quick] [--only embeddings|scalars] [--replicates 12] [--jobs 2]
        [--fresh] [--tables]

Every contender gets the same streams. Others get a threshold tuned to one false alarm in 20,000 calm events,
which no one has in practice, and their own; ours only has the budget. Every finished replicate is kept under
``.cache/detection``, so a run that was cut short goes on where it was; ``--fresh`` begins anew, which is due
whenever a detector has changed. The tables go to ``docs/detection.md``; with ``--quick``, a few minutes, or
``--only``, they are only printed. ``--tables`` makes them of what is there.
"""

import os

# Before numpy is there: two processes with two numerical threads each would stand in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
from collections.abc import Sequence
from pathlib import Path

from detect.clinc import DATA, load
from detect.costs import costs
from detect.journal import Journal
from detect.report import (
    beyond_table,
    costs_table,
    embeddings_table,
    scalars_table,
    variants_table,
)
from detect.trials import BEYOND, NAMES, Row, Trial, play
from document import placed

_ROOT = Path(__file__).parents[1]
_CACHE = _ROOT / ".cache" / "detection" / "rows.jsonl"
_DOCUMENT = _ROOT / "docs" / "detection.md"
_QUICK_REPLICATES = 3
# Replicates of scalars cost little, so there are so many times more of them.
_MORE_SCALARS = 3
_FIRST_SEED = 1_000


def trials(only: str | None, replicates: int, quick: bool) -> list[Trial]:
    """What is to be done, the first replicates of everything first."""
    due = []
    for group in [only] if only else NAMES:
        number = replicates * (_MORE_SCALARS if group == "scalars" and not quick else 1)
        for name in NAMES[group]:
            if not (quick and name == BEYOND):
                due += [Trial(name, _FIRST_SEED + index, quick) for index in range(number)]
    return sorted(due, key=lambda trial: trial.seed)


def tables(rows: Sequence[Row], measure: bool) -> dict[str, str]:
    """The tables by their names in the document."""
    found = {
        "embeddings": embeddings_table(rows),
        "variants": variants_table(rows),
        "beyond": beyond_table(rows),
        "scalars": scalars_table(rows),
    }
    if measure:
        found["costs"] = costs_table(costs())
    return {name: table for name, table in found.items() if table}


def main() -> None:
    """Run what is not kept yet, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=list(NAMES))
    parser.add_argument("--replicates", type=int)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--tables", action="store_true")
    arguments = parser.parse_args()
    if arguments.only != "scalars":
        load(DATA)  # says at once if the queries are missing
    if arguments.fresh:
        _CACHE.unlink(missing_ok=True)
    replicates = arguments.replicates or (_QUICK_REPLICATES if arguments.quick else 12)
    wanted = trials(arguments.only, replicates, arguments.quick)
    journal: Journal[Row] = Journal(_CACHE, Row)
    rows = {row.trial: row for row in journal.kept()}
    due = [] if arguments.tables else [trial for trial in wanted if trial not in rows]
    for number, row in enumerate(journal.played(play, due, arguments.jobs), 1):
        rows[row.trial] = row
        print(f"{number} of {len(due)}: {row.trial}", flush=True)
    found = tables([rows[trial] for trial in wanted if trial in rows], measure=arguments.only != "scalars")
    print("\n\n".join(f"{name}\n\n{table}" for name, table in found.items()))
    if not arguments.quick and not arguments.only:
        _DOCUMENT.write_text(placed(_DOCUMENT.read_text(), found))


if __name__ == "__main__":
    main()
