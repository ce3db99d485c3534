"""What labelling an answer costs, and how well refusals are told.

    python benchmarks/labels.py LABELLED.jsonl [--batch 50] [--rounds 7]

A line of the file holds ``completion`` and, for the second table, ``model`` and ``label``:
``1_full_compliance``, ``2_full_refusal`` or ``3_partial_refusal``, as XSTest has them.

CPU time, the best of some rounds, all ways in turn in one run; so the ratios mean something even where the
machine is slow. The library is measured where it is installed (extra ``dev``), Hyperscan likewise (``fast``).
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from drift_aware.schema.events import Interaction
from drift_aware.streams.labels import label
from drift_aware.streams.labels.refusal import head, is_refusal, plain, quick, refusals
from drift_aware.streams.labels.toxicity import CHARACTERS, toxicities

Texts = Sequence[str]
Way = Callable[[Texts], object]
FULL, PARTIAL = "2_full_refusal", "3_partial_refusal"


def _refusal_ways() -> dict[str, Way]:
    ways: dict[str, Way] = {"refusal, re": lambda texts: plain([head(text) for text in texts])}
    if quick() is not None:
        ways["refusal, hyperscan"] = refusals
    return ways


def _toxicity_ways() -> dict[str, Way]:
    ways: dict[str, Way] = {}
    if find_spec("profanity_check"):
        from profanity_check import predict_prob

        ways["toxicity, alt-profanity-check"] = lambda texts: predict_prob(
            [each[:CHARACTERS] for each in texts]
        )
    return ways | {"toxicity, arrays": toxicities}


def _label(texts: Texts) -> None:
    label([Interaction(id="", ts=0, model_response=text) for text in texts])


def _batches(texts: Texts, size: int) -> Iterator[Texts]:
    return (texts[begin : begin + size] for begin in range(0, len(texts), size))


def _cpu_us(way: Way, texts: Texts, size: int) -> float:
    """Microseconds of CPU per text."""
    start = time.process_time()
    for batch in _batches(texts, size):
        way(batch)
    return (time.process_time() - start) * 1e6 / len(texts)


def _costs(ways: dict[str, Way], texts: Texts, size: int, rounds: int) -> dict[str, float]:
    for way in ways.values():
        way(texts[:size])  # what is built on first use
    took = [{name: _cpu_us(way, texts, size) for name, way in ways.items()} for _ in range(rounds)]
    return {name: min(each[name] for each in took) for name in ways}


def _f1(found: Sequence[bool], refused: Sequence[bool]) -> float:
    hits = sum(a and b for a, b in zip(found, refused, strict=True))
    return 2 * hits / max(1, sum(found) + sum(refused))


def _print_quality(rows: Sequence[dict[str, Any]]) -> None:
    by_model = defaultdict(list)
    for row in rows:
        by_model[row["model"]].append((is_refusal(row["completion"]), row["label"]))
    by_model["all"] = [each for group in by_model.values() for each in group]
    columns = f"{'answers':>8} {'or partial':>11} {'partial left out':>17} {'full only':>10}"
    print(f"\n{'F1 of refusals':24} {columns}")
    for model, judged in by_model.items():
        either = _f1([found for found, _ in judged], [said in (FULL, PARTIAL) for _, said in judged])
        clear = [(found, said) for found, said in judged if said != PARTIAL]
        without = _f1([found for found, _ in clear], [said == FULL for _, said in clear])
        strict = _f1([found for found, _ in judged], [said == FULL for _, said in judged])
        print(f"{model:24} {len(judged):>8} {either:>11.3f} {without:>17.3f} {strict:>10.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="What labelling costs, and how well refusals are told.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    rows = [json.loads(line) for line in given.file.read_text("utf-8").splitlines()]
    texts = [row["completion"] for row in rows]
    length = sum(map(len, texts)) / len(texts)
    print(f"{len(texts)} answers of {length:.0f} characters, {given.batch} at a time, µs of CPU per answer")
    both: dict[str, Way] = {"both, as the worker does": _label}
    for ways in (_refusal_ways(), _toxicity_ways(), both):
        costs = _costs(ways, texts, given.batch, given.rounds)
        first = next(iter(costs.values()))
        for name, cost in costs.items():
            print(f"{name:32} {cost:>8.1f} {f'1/{first / cost:.1f}' if cost < first else '':>8}")
    if all("model" in row and "label" in row for row in rows):
        _print_quality(rows)


if __name__ == "__main__":
    main()
