"""Carries out ``safety``: stricter guardrails for a time, by a policy that the application reads."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from drift_aware.actions import policies
from drift_aware.actions.effects import way_back
from drift_aware.actions.errors import ActionFailed
from drift_aware.actions.executor import Job, Result
from drift_aware.schema.alerts import ActionKind, Alert, Effect
from drift_aware.schema.policies import EVERY_APP, Part, Policy
from drift_aware.schema.settings import Settings
from drift_aware.schema.tune_settings import Safety

STEP = "tighten"
_BACK = "loosen"
_HOUR_MS = 3_600_000


def tightened(threshold: float, alert: Alert | None, safety: Safety) -> float:
    """The threshold in proportion to how much worse it has become, within what the settings allow: pure.

    Args:
        threshold: as it is.
        alert: with the rate as it is and as it was; without either, the whole step is taken.
        safety: step and floor.

    >>> tightened(0.5, None, Safety(max_step=0.1, floor=0.2)), tightened(0.1, None, Safety(floor=0.2))
    (0.4, 0.1)
    """
    was = alert.baseline_value if alert else None
    share = min(1.0, was / alert.current) if alert and was is not None and alert.current > 0 else 0.0
    lowest = max(safety.floor, threshold - safety.max_step)
    return min(threshold, max(lowest, threshold * share))


def tightening(held: Policy, alert: Alert | None, safety: Safety) -> Mapping[Part, Any]:
    """What is to change about what holds: pure."""
    parts: dict[Part, Any] = {}
    threshold = safety.threshold if held.moderation_threshold is None else held.moderation_threshold
    if (lower := tightened(threshold, alert, safety)) < threshold:
        parts["moderation_threshold"] = lower
    patterns = held.blocked_patterns or []
    if more := [each for each in safety.blocked_patterns if each not in patterns]:
        parts["blocked_patterns"] = [*patterns, *more]
    prompt, addition = held.system_prompt_addition or "", safety.system_prompt_addition
    if addition and addition not in prompt:
        parts["system_prompt_addition"] = f"{prompt}\n{addition}".strip()
    return parts


class SafetyExecutor:
    """Tightens the guardrails of the segment's application, or of all (actions.executor.Executor).

    Args:
        safety: the section ``actions.safety``.
        now: seconds since 1970.
    """

    kind: ActionKind = "safety"
    steps: Sequence[str] = (STEP,)

    def __init__(self, safety: Safety, now: Callable[[], float] = time.time) -> None:
        self._safety, self._now = safety, now

    def expected(self, alert: Alert) -> Effect | None:
        """Half of the way back before it expires."""
        return way_back(alert, 0.5, self._safety.hours)

    def plan(self, job: Job) -> str:
        """The most that would change, and for how long."""
        safety = self._safety
        whose, patterns = _named(job), len(safety.blocked_patterns)
        more = f", and block {patterns} more patterns," if patterns else ""
        return (
            f"lower the moderation threshold of {whose} by at most {safety.max_step:g}, to no less than "
            f"{safety.floor:g}{more} for {safety.hours:g} h"
        )

    def do(self, step: str, job: Job) -> Result:
        """Enter the policy; ``act`` publishes it.

        Raises:
            ActionFailed: there is nothing left to tighten.
        """
        del step
        now_ms = round(self._now() * 1000)
        until = now_ms + round(self._safety.hours * _HOUR_MS)
        wish = policies.wish(job, STEP, f"tightened: {job.alert.summary if job.alert else job.action.reason}")

        def decide(held: Policy) -> Mapping[Part, Any]:
            if not (parts := tightening(held, job.alert, self._safety)):
                raise ActionFailed(
                    f"the guardrails of {_named(job)} are as tight as actions.safety allows; look at the "
                    "answers, and lower its floor if that is right"
                )
            return parts

        with job.connect() as connection:
            made = policies.change(connection, wish, decide, now_ms=now_ms, until=until)
        return _result(made)

    def find(self, step: str, job: Job) -> Result | None:
        """The policy, if it was entered."""
        del step
        with job.connect() as connection:
            made = policies.find(connection, job.key(STEP))
        return None if made is None else _result(made)

    def undo(self, job: Job) -> str:
        """Put back what there was, unless somebody has changed it since."""
        wish = policies.wish(job, _BACK, "the tightening was rolled back")
        with job.connect() as connection:
            back = policies.restore(connection, wish, job.key(STEP))
        if back is None:
            return "nothing of it was in force"
        return f"the guardrails of {_named(job)} are as before: {', '.join(back.before)}"


def make(settings: Settings) -> SafetyExecutor:
    """The executor, as the section ``actions.safety`` wants it."""
    return SafetyExecutor(settings.actions.safety)


def _named(job: Job) -> str:
    app = policies.app_of(job.action.segment)
    return "all applications" if app == EVERY_APP else app


def _result(made: policies.Change) -> Result:
    return {
        "app": made.policy.app,
        "version": made.policy.version,
        "changed": {name: getattr(made.policy, name) for name in made.before},
        "expires": max(made.policy.expires.values(), default=None),
    }
