"""Which experiments the benchmark of detection makes, and one replicate of each."""

from collections.abc import Callable, Iterator, Sequence
from zlib import crc32

import msgspec
import numpy as np

from detect import clinc, ours, peers, scalars
from detect.protocol import Contender, Run, Shown, Stream, run_of

BUDGET = 20_000.0
LARGE_BUDGET = 100_000.0
LARGE_EVENTS = 400_000
PANE = 5
TUNE, CALM = "tune", "calm"
OURS = "drift-aware, nothing tuned"
FIRST, EVERY = "first query of each conversation counts", "every query counts"
BEYOND = "beyond the budget"
_MAIN = "embeddings"
_CONTAMINATED = ("contam100", "contam30", "contam10")


class Setting(msgspec.Struct, frozen=True):
    """What is different in an experiment with embeddings.

    Attributes:
        reference: size of it.
        pane: events of a pane.
        scenarios: what changes.
        wide: see ``clinc.load``.
        conversations: whether queries come in conversations.
        against: whether others take part.
    """

    reference: int = 3_000
    pane: int = PANE
    scenarios: tuple[str, ...] = clinc.SCENARIOS
    wide: bool = False
    conversations: bool = False
    against: bool = False


SETTINGS = {
    _MAIN: Setting(against=True),
    "reference of 1,000": Setting(reference=1_000),
    "panes of 16": Setting(pane=16),
    "1,536 dimensions": Setting(wide=True),
    "conversations": Setting(scenarios=_CONTAMINATED, conversations=True),
}
NAMES = {"embeddings": [*SETTINGS, BEYOND], "scalars": list(scalars.SCALARS)}


class Trial(msgspec.Struct, frozen=True):
    """One replicate of an experiment; a quick one has fewer streams and fewer peers."""

    experiment: str
    seed: int
    quick: bool = False


class Row(msgspec.Struct):
    """What came of a trial.

    Attributes:
        runs: by contender, and by scenario, ``tune`` or ``calm``.
        alarms: by contender, after how many events a monitor that goes on raised an alarm.
        watched: for how many events.
    """

    trial: Trial
    runs: dict[str, dict[str, list[Run]]] = {}
    alarms: dict[str, list[int]] = {}
    watched: int = 0


class _Sizes(msgspec.Struct, frozen=True):
    """How many streams of a kind; of calm ones, how long each is."""

    tune: int = 5
    calm: int = 5
    changes: int = 3
    tune_events: int = 20_000
    calm_events: int = 40_000


_FULL = _Sizes()
_FEW = _Sizes(tune=3, calm=2, changes=2)


def play(trial: Trial) -> Row:
    """Make one trial; seconds to a minute or two."""
    if trial.experiment == BEYOND:
        return _beyond(trial)
    sizes = _FEW if trial.quick else _FULL
    if trial.experiment in SETTINGS:
        return _embeddings(trial, SETTINGS[trial.experiment], sizes)
    return _scalars(trial, scalars.SCALARS[trial.experiment], sizes)


def _embeddings(trial: Trial, setting: Setting, sizes: _Sizes) -> Row:
    replicate = clinc.Replicate(clinc.load(wide=setting.wide), trial.seed)
    shown = replicate.reference(setting.reference, setting.conversations)
    talk = setting.conversations

    def stream(kind: str, rng: np.random.Generator) -> Stream:
        if kind in (TUNE, CALM):
            return replicate.calm(rng, _length(kind, sizes), talk)
        return replicate.changing(rng, kind, talk)

    contenders = embedding_contenders(setting, trial.quick)
    return _played(trial, contenders, shown, stream, setting.scenarios, sizes, setting.pane)


def embedding_contenders(setting: Setting, quick: bool = False) -> list[Contender[clinc.Sample]]:
    """Who takes part; add another one here."""
    if setting.conversations:
        return [
            ours.Embeddings(FIRST, BUDGET, setting.pane, "conversations"),
            ours.Embeddings(EVERY, BUDGET, setting.pane),
        ]
    others = peers.peers(setting.pane, quick) if setting.against else []
    return [ours.Embeddings(OURS, BUDGET, setting.pane), *others]


def scalar_contenders() -> list[Contender[scalars.Shown]]:
    """Who takes part; add another one here."""
    return [ours.Scalars(OURS, BUDGET, PANE), *scalars.peers(PANE)]


def _scalars(trial: Trial, scalar: scalars.Scalar, sizes: _Sizes) -> Row:
    shown = scalars.baseline(scalar, _rng(trial, "baseline", 0))

    def stream(kind: str, rng: np.random.Generator) -> Stream:
        if kind in (TUNE, CALM):
            return scalars.calm(scalar, rng, _length(kind, sizes))
        return scalars.changing(scalar, rng, kind)

    return _played(trial, scalar_contenders(), shown, stream, tuple(scalar.changes), sizes, PANE)


def _played(
    trial: Trial,
    contenders: Sequence[Contender[Shown]],
    shown: Shown,
    stream: Callable[[str, np.random.Generator], Stream],
    scenarios: Sequence[str],
    sizes: _Sizes,
    pane: int,
) -> Row:
    """Every contender on the same streams."""
    row = Row(trial)
    runners = [(each, each.prepare(shown)) for each in contenders]
    for kind, number in _kinds(sizes, scenarios):
        drawn = stream(kind, _rng(trial, kind, number))
        for contender, runner in runners:
            if kind != TUNE or contender.tuned:
                run = run_of(runner.scores(drawn), drawn, pane)
                row.runs.setdefault(contender.name, {}).setdefault(kind, []).append(run)
    return row


def _beyond(trial: Trial) -> Row:
    replicate = clinc.Replicate(clinc.load(), trial.seed)
    contender = ours.Embeddings(OURS, LARGE_BUDGET, PANE)
    runner = contender.prepare(replicate.reference(SETTINGS[_MAIN].reference))
    events = LARGE_EVENTS // 10 if trial.quick else LARGE_EVENTS
    drawn = replicate.calm(_rng(trial, BEYOND, 0), events)
    return Row(trial, alarms={contender.name: runner.alarms(drawn)}, watched=events)


def _kinds(sizes: _Sizes, scenarios: Sequence[str]) -> Iterator[tuple[str, int]]:
    for kind in (TUNE, CALM, *scenarios):
        for number in range({TUNE: sizes.tune, CALM: sizes.calm}.get(kind, sizes.changes)):
            yield kind, number


def _length(kind: str, sizes: _Sizes) -> int:
    return sizes.tune_events if kind == TUNE else sizes.calm_events


def _rng(trial: Trial, kind: str, number: int) -> np.random.Generator:
    """Of one stream: the same for every contender, and in every experiment with the same seed."""
    return np.random.default_rng([trial.seed, crc32(kind.encode()), number])
