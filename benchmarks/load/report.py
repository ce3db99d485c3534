"""The results of the benchmark of throughput as Markdown tables."""

from collections.abc import Mapping, Sequence
from statistics import median

from document import table
from load.contenders import BARE, CORE, PEERS, WORKER
from load.meter import Cost
from load.rows import Row

_MEBI = 1 << 20
_NONE = "\u2013"  # an en dash, in tables the sign for nothing
_EVENT_BY_EVENT = [each.name for each in PEERS if not getattr(each, "by_hand", False)]

Costs = Mapping[str, Sequence[Cost]]  # contender to what each round took


def throughput_table(found: Mapping[Row, Costs]) -> str:
    """Ours in every row: processor time, what share of it is the sums, speed and memory."""
    heads = ["", BARE.name, CORE.name, WORKER.name, "core / worker", "worker, events/s", "worker, memory"]
    return table(heads, [_line(row, costs) for row, costs in found.items()])


def peers_table(found: Mapping[Row, Costs], missing: Mapping[str, str]) -> str:
    """Everyone in the rows where others were measured; ``missing`` says of a framework why it was not."""
    compared = {row: costs for row, costs in found.items() if row.peers}
    names = [WORKER.name, *(each.name for each in PEERS)]
    heads = ["", *names, "fastest event by event / worker"]
    lines = [
        [row.name, *(_micros(costs, name) for name in names), against_peers(costs)]
        for row, costs in compared.items()
    ]
    notes = [f"{name.capitalize()} could not be installed: {why}" for name, why in missing.items()]
    return "\n".join([table(heads, lines), *notes])


def middle(costs: Costs, name: str) -> float | None:
    """Microseconds an event, the median of the rounds; None if it was not measured."""
    return median(cost.micros for cost in costs[name]) if costs.get(name) else None


def against_peers(costs: Costs) -> str:
    """How many times faster the worker is than the fastest of the others that take event by event.

    Nothing if one that should have been measured was not: it could have been the fastest.
    """
    others = [middle(costs, name) for name in _EVENT_BY_EVENT if name in costs]
    ours = middle(costs, WORKER.name)
    measured = [cost for cost in others if cost is not None]
    return f"{min(measured) / ours:.2f}" if measured == others and others and ours else _NONE


def memory_table(found: Mapping[Row, Cost], few: int, many: int) -> str:
    """Memory with few and with many segments, and what one more takes."""
    pairs: dict[str, dict[int, int]] = {}
    for row, cost in found.items():
        pairs.setdefault(row.name.rpartition(", ")[0], {})[row.segments] = cost.resident
    lines = [
        [
            what,
            f"{sizes[few] / _MEBI:,.0f} MiB",
            f"{sizes[many] / _MEBI:,.0f} MiB",
            f"{(sizes[many] - sizes[few]) / (many - few) / 1024:,.0f} KiB",
        ]
        for what, sizes in pairs.items()
        if few in sizes and many in sizes
    ]
    return table(["", f"{few:,} segments", f"{many:,} segments", "one more segment"], lines)


def _line(row: Row, costs: Costs) -> list[str]:
    core, ours = middle(costs, CORE.name), middle(costs, WORKER.name)
    runs = costs.get(WORKER.name, [])
    return [
        row.name,
        _micros(costs, BARE.name),
        _micros(costs, CORE.name),
        _micros(costs, WORKER.name),
        f"{core / ours:.2f}" if core and ours else _NONE,
        f"{median(cost.rate for cost in runs):,.0f}" if runs else _NONE,
        f"{max(cost.resident for cost in runs) / _MEBI:,.0f} MiB" if runs else _NONE,
    ]


def _micros(costs: Costs, name: str) -> str:
    """The median, and how far the rounds lie apart."""
    found = middle(costs, name)
    if found is None:
        return _NONE
    each = [cost.micros for cost in costs[name]]
    return f"{found:.1f} ({min(each):.1f}-{max(each):.1f})" if len(each) > 1 else f"{found:.1f}"
