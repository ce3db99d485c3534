"""Which executors there are, and which of them carries out actions of which kind."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points

from drift_aware.actions.executor import Executor
from drift_aware.actions.steps import UNDO
from drift_aware.schema.alerts import ActionKind
from drift_aware.schema.errors import SettingsError
from drift_aware.schema.settings import Settings

GROUP = "drift_aware.executors"
# A program in the settings is there to be used: it goes before what is built in.
COMMAND = "command"

# What an entry point names; None says that the settings do not ask for it.
Maker = Callable[[Settings], Executor | None]


def installed(settings: Settings, entries: Iterable[EntryPoint] | None = None) -> dict[ActionKind, Executor]:
    """The executor of each kind that has one.

    Args:
        settings: handed to each of them.
        entries: others than those of the group.

    Raises:
        SettingsError: two are there for one kind and the settings choose none of them, or choose one that is
            not there; or one calls a step by a name that is taken.
    """
    found: defaultdict[ActionKind, dict[str, Executor]] = defaultdict(dict)
    for entry in entry_points(group=GROUP) if entries is None else entries:
        try:
            maker: Maker = entry.load()
        except ModuleNotFoundError:
            continue  # its extra is not installed
        executor = maker(settings)
        if executor is not None:
            if UNDO in executor.steps:
                raise SettingsError(f"executor {entry.name}: no step may be called {UNDO}; rename it")
            found[executor.kind][entry.name] = executor
    chosen = dict(settings.actions.executors)
    if (command := settings.actions.command) is not None and COMMAND in found[command.kind]:
        chosen.setdefault(command.kind, COMMAND)
    return {kind: _choose(kind, found[kind], chosen.get(kind)) for kind in sorted({*found, *chosen})}


def _choose(kind: ActionKind, found: dict[str, Executor], name: str | None) -> Executor:
    names = ", ".join(sorted(found)) or "none"
    if name is not None:
        if name not in found:
            raise SettingsError(f"actions.executors: no executor {name} for {kind}; there is {names}")
        return found[name]
    if len(found) > 1:
        raise SettingsError(f"{names} all carry out {kind}; set actions.executors.{kind} to one of them")
    return next(iter(found.values()))
