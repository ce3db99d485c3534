"""Does the promise hold? False pages of a simulated fleet over what was promised, and what real drifts cost.

    python benchmarks/promise.py [--quick] [--jobs 2] [--fresh | --kept]
                                 [--only fleet|season|conversations|lifecycle]

The detectors and the books are the product's own; only the traffic is simulated. Every finished case is kept
under ``.cache/promise``, so a run that was cut short goes on where it was; ``--fresh`` begins anew, which is
due whenever a detector has changed. The tables go to ``docs/detection.md``; with ``--quick``, about three
minutes, or ``--only`` they are just printed. ``--kept`` makes them of the cases at hand.
"""

import argparse
import os
from pathlib import Path

from detect.cases import NAMES, Case, Row, cases, play
from detect.fleet import FleetCase
from detect.journal import Journal
from detect.tables import tables
from document import placed

_ROOT = Path(__file__).parents[1]
_CACHE = _ROOT / ".cache" / "promise" / "rows.jsonl"
_DOCUMENT = _ROOT / "docs" / "detection.md"


def length(case: Case) -> int:
    """How long a case takes, about: short ones are played first."""
    return case.traffic.days * case.traffic.last if isinstance(case, FleetCase) else 0


def main() -> None:
    """Run what is not kept yet, and write the tables."""
    # Two processes with two numerical threads each would stand in each other's way on two cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", choices=NAMES)
    begin = parser.add_mutually_exclusive_group()
    begin.add_argument("--fresh", action="store_true")
    begin.add_argument("--kept", action="store_true")
    arguments = parser.parse_args()
    if arguments.fresh:
        _CACHE.unlink(missing_ok=True)
    names = [arguments.only] if arguments.only else NAMES
    chosen = [case for name in names for case in cases(name, arguments.quick)]
    journal: Journal[Row] = Journal(_CACHE, Row)
    rows = {row.case: row for row in journal.kept()}
    due = [] if arguments.kept else sorted((case for case in chosen if case not in rows), key=length)
    for number, row in enumerate(journal.played(play, due, arguments.jobs), 1):
        rows[row.case] = row
        print(f"{number} of {len(due)}: {row.case}", flush=True)
    text = tables([rows[case] for case in chosen if case in rows])
    print(text)
    if not arguments.quick and not arguments.only:
        _DOCUMENT.write_text(placed(_DOCUMENT.read_text(), {"promise": text}))


if __name__ == "__main__":
    main()
