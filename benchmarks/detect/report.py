"""The results of the benchmark of detection as Markdown tables."""

import math
from collections.abc import Iterator, Sequence

from detect import ours, scalars, trials
from detect.costs import Costs
from detect.protocol import Contender, Run, T, arl, delays, exposure, interval, median, tuned
from detect.trials import CALM, TUNE, Row
from document import table

Line = list[str]

_HEADINGS = {"ramp30": "0→30 % over 2,000"}


def embeddings_table(rows: Sequence[Row]) -> str:
    """Everyone on the same streams."""
    mine = _of(rows, "embeddings")
    if not mine:
        return ""
    setting = trials.SETTINGS["embeddings"]
    return _compared(mine, trials.embedding_contenders(setting), setting.scenarios)


def variants_table(rows: Sequence[Row]) -> str:
    """Our own monitor where something is different from the first table."""
    lines = []
    for name, setting in trials.SETTINGS.items():
        mine = _of(rows, name)
        for contender in trials.embedding_contenders(setting) if mine else []:
            if isinstance(contender, ours.Embeddings):
                what = f"{name}: {contender.name}" if setting.conversations else name
                cells = _cells(mine, contender.name, 0.0, trials.SETTINGS["embeddings"].scenarios)
                lines.append([what, str(len(mine)), *cells])
    heads = ["", "replicates", "ARL", *_heads(trials.SETTINGS["embeddings"].scenarios)]
    return table(heads, lines)


def beyond_table(rows: Sequence[Row]) -> str:
    """False alarms of monitors that go on, over those promised."""
    mine = _of(rows, trials.BEYOND)
    if not mine:
        return ""
    lines = []
    for part in (4, 2, 1):
        watched = [row.watched // part for row in mine]
        counts = [
            sum(at <= events for alarms in row.alarms.values() for at in alarms)
            for row, events in zip(mine, watched, strict=True)
        ]
        promised = sum(watched) / trials.LARGE_BUDGET

        def over(found: list[int], each: float = promised / len(mine)) -> float:
            return sum(found) / len(found) / each

        low, high = interval([[count] for count in counts], over)
        lines.append(
            [
                f"{watched[0]:,}",
                str(len(mine)),
                str(sum(counts)),
                f"{promised:.0f}",
                f"{sum(counts) / promised:.2f} [{low:.2f}, {high:.2f}]",
            ]
        )
    return table(["events", "replicates", "false alarms", "promised", "observed / promised"], lines)


def scalars_table(rows: Sequence[Row]) -> str:
    """One table for each metric."""
    tables = []
    for name, scalar in scalars.SCALARS.items():
        mine = _of(rows, name)
        if mine:
            table = _compared(mine, trials.scalar_contenders(), tuple(scalar.changes))
            tables.append(f"**{name.capitalize()}** ({len(mine)} replicates)\n\n{table}")
    return "\n".join(tables)


def costs_table(costs: Costs) -> str:
    """Processor time for each event, and which part of it is the detectors'."""
    lines = [
        [f"{pane:,}", f"{rest:.1f}", f"{ours:.1f}", f"{100 * ours / (rest + ours):.0f} %"]
        for pane, (rest, ours) in costs.items()
    ]
    return table(
        ["events a pane", "without detectors, µs an event", "the detectors, µs", "their share"], lines
    )


def _of(rows: Sequence[Row], experiment: str) -> list[Row]:
    return sorted((row for row in rows if row.trial.experiment == experiment), key=lambda row: row.trial.seed)


def _compared(rows: Sequence[Row], contenders: Sequence[Contender[T]], scenarios: Sequence[str]) -> str:
    lines = []
    for contender in contenders:
        if all(contender.name in row.runs for row in rows):
            for label, threshold in _thresholds(rows, contender):
                lines.append([contender.name, label, *_cells(rows, contender.name, threshold, scenarios)])
    return table(["", "threshold", "ARL", *_heads(scenarios)], lines)


def _thresholds(rows: Sequence[Row], contender: Contender[T]) -> Iterator[tuple[str, float]]:
    if contender.threshold is not None:
        own = "the budget" if not contender.tuned else f"its own, {contender.threshold:.3g}"
        yield own, contender.threshold
    if contender.tuned:
        calm = [run for row in rows for run in row.runs[contender.name][TUNE]]
        found = tuned(calm, trials.BUDGET)
        yield f"tuned, {found:.3g}", found


def _heads(scenarios: Sequence[str]) -> Line:
    return [_HEADINGS.get(scenario, scenario) for scenario in scenarios]


def _cells(rows: Sequence[Row], name: str, threshold: float, scenarios: Sequence[str]) -> Line:
    """Run length and delays of one contender at one threshold."""
    runs = [row.runs[name] for row in rows]
    found = (_delay([each.get(scenario, []) for each in runs], threshold) for scenario in scenarios)
    return [_length([each[CALM] for each in runs], threshold), *found]


def _length(groups: Sequence[Sequence[Run]], threshold: float) -> str:
    every = [run for group in groups for run in group]
    watched, alarms = exposure(every, threshold)
    if not alarms:
        # No alarm in so many events: with a confidence of 95 % the mean is at least a third of them.
        return f"> {watched / 3:,.0f}"
    low, high = interval(groups, lambda runs: arl(runs, threshold))
    return f"{watched / alarms:,.0f} [{_number(low)}, {_number(high, '∞')}]"


def _delay(groups: Sequence[Sequence[Run]], threshold: float) -> str:
    """Median delay, its interval, and what part was missed; runs with an earlier alarm do not count."""
    runs = [run for group in groups for run in group]
    found = delays(runs, threshold)
    if 2 * len(found) < len(runs) or not runs:
        # The few that are left are no fair sample any more.
        return "false alarms first" if runs else "-"
    low, high = interval(groups, lambda drawn: median(delays(drawn, threshold)))
    missed = sum(math.isinf(each) for each in found) / len(found)
    text = _number(median(found))
    if math.isfinite(low):
        text += f" [{_number(low)}, {_number(high)}]"
    return text + (f", {100 * missed:.0f} % missed" if missed else "")


def _number(value: float, beyond: str = f"> {scalars.HORIZON:,}") -> str:
    return f"{value:,.0f}" if math.isfinite(value) else beyond
