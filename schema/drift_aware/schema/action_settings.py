"""The section ``actions``: what follows from an alert, who has to agree, when, and for how much."""

from datetime import time
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator

from drift_aware.schema.alerts import ActionKind, AlertKind, Severity
from drift_aware.schema.reindexing import Reindex
from drift_aware.schema.section import Section
from drift_aware.schema.tune_settings import Safety, Tune

Hours = Annotated[float, Field(ge=0, le=24 * 365 * 10)]
Score = Annotated[float, Field(ge=0, le=1)]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("no such time zone; write it as in Europe/Berlin") from None
    return name


class When(Section):
    """Which alerts a rule is for, and how serious they have to be.

    ``metric`` and ``segment`` are patterns, as in ``*refusal*`` and ``app=shop,*``. Without ``min_severity``
    work needs a warning and a message needs nothing; without ``min_score`` work needs ``min_drift_score``.

    Attributes:
        kind: of the alert; null for any.
        metric: pattern of its metric.
        segment: pattern of its segment.
        min_severity: the least.
        min_score: the least combined score.
    """

    kind: AlertKind | None = None
    metric: str = "*"
    segment: str = "*"
    min_severity: Severity | None = None
    min_score: Score | None = None


class Rule(Section):
    """What to do about some alerts; what is not said here is as the section ``actions`` says.

    Attributes:
        do: kinds of actions.
        approve: ``ask`` waits for a person, whatever the settings say; ``auto`` leaves it to them.
        cooldown_hours: in place of those of ``actions``.
        max_per_day: in place of those of ``actions``.
        expires_hours: in place of those of ``actions``.
    """

    when: When = When()
    do: list[ActionKind] = Field(min_length=1)
    approve: Literal["auto", "ask"] = "auto"
    cooldown_hours: Hours | None = None
    max_per_day: int | None = Field(None, ge=0)
    expires_hours: float | None = Field(None, gt=0, le=24 * 365)


class QuietHours(Section):
    """A stretch of every day in which nothing is begun; it may pass midnight.

    Attributes:
        begin: times of day, as in 22:00.
        end: times of day, as in 22:00.
        timezone: in which they are meant.
    """

    begin: time = Field(alias="from")
    end: time = Field(alias="to")
    timezone: Annotated[str, AfterValidator(_known_zone)] = "UTC"

    @model_validator(mode="after")
    def _not_all_day(self) -> "QuietHours":
        if self.begin == self.end:
            raise ValueError("`from` and `to` must differ")
        if self.begin.tzinfo is not None or self.end.tzinfo is not None:
            raise ValueError("write `from` and `to` as in 22:00, and the zone as `timezone`")
        return self


class Command(Section):
    """A program of yours that carries out the actions of one kind; see the documentation of actions.

    Attributes:
        kind: of the actions.
        run: program and arguments.
        find: says whether ``run`` has had its effect; without it, nobody can tell after a crash.
        undo: takes it back.
        timeout_seconds: for each of them.
        most_usd: what a run may cost at most.
    """

    kind: ActionKind
    run: list[str] = Field(min_length=1)
    find: list[str] | None = Field(None, min_length=1)
    undo: list[str] | None = Field(None, min_length=1)
    timeout_seconds: float = Field(600, gt=0)
    most_usd: float = Field(0, ge=0)


class Actions(Section):
    """When an alert becomes an action, and what it takes to carry that out.

    Attributes:
        dry_run: whether carrying out only means saying what would be done.
        require_approval: whether a person has to approve; messages need nobody.
        auto_trigger: whether alerts lead to actions other than messages.
        min_drift_score: the least combined score of an alert, where a rule has none.
        cooldown_hours: event time since the last action of the kind in the segment.
        max_per_day: actions of one kind that a UTC day of event time has places for; messages have no limit.
        expires_hours: a proposal that nobody has answered for so long is over.
        budget_usd_per_day: what all actions of a UTC day may cost.
        quiet_hours: when nothing is begun.
        rules: the first that fits decides; none of your own: those of ``actions.policy``.
        executors: kind to the name of what carries it out, where several are installed.
        command: a program of yours that carries out one kind of action.
        reindex: how documents are embedded anew; without it ``reindex`` has no executor.
        lease_seconds: an action whose process has not been heard of for so long is carried on by another.
        expected_recovery: how much of the way back an action is expected to bring a metric; 1 is all of it.
        verify_hours: at least so long it is watched whether it has; at most ``verify_days``.
        verify_days: at most so long.
        auto_rollback: whether what has harmed is taken back without asking anybody.
    """

    dry_run: bool = True
    require_approval: bool = True
    auto_trigger: bool = True
    min_drift_score: Score = 0.3
    cooldown_hours: Hours = 168
    max_per_day: int = Field(10, ge=0)
    expires_hours: float = Field(72, gt=0, le=24 * 365)
    budget_usd_per_day: float = Field(20, ge=0)
    quiet_hours: QuietHours | None = None
    rules: list[Rule] = Field(default_factory=list)
    executors: dict[ActionKind, str] = Field(default_factory=dict)
    command: Command | None = None
    reindex: Reindex | None = None
    tune: Tune = Tune()
    safety: Safety = Safety()
    lease_seconds: float = Field(60, ge=1)
    expected_recovery: float = Field(0.5, gt=0, le=1)
    verify_hours: float = Field(24, gt=0, le=24 * 7)
    verify_days: float = Field(14, gt=0, le=90)
    auto_rollback: bool = False
