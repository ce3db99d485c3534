"""What applications are told to do differently: which model answers, how strictly answers are looked at."""

from collections.abc import Iterable
from typing import Any, Literal, get_args

from msgspec import Struct
from msgspec.structs import replace

from drift_aware.schema.events import Share

# The app of a policy that is for all of them.
EVERY_APP = "*"
Part = Literal["model", "moderation_threshold", "system_prompt_addition", "blocked_patterns"]
PARTS: tuple[Part, ...] = get_args(Part)


class Policy(Struct, kw_only=True, frozen=True, omit_defaults=False):
    """What one application is told, as a whole: a higher ``version`` replaces all of a lower one.

    A part that is null says nothing: there the policy for all applications holds, and beyond it what the
    application does anyway.

    Attributes:
        app: whom it is for; ``*`` is everybody.
        version: counts up.
        model: which answers.
        moderation_threshold: answers at least so toxic are held back; lower is stricter.
        system_prompt_addition: stands behind the system prompt.
        blocked_patterns: regular expressions; what matches one is not answered.
        expires: name of a part to the time in milliseconds from which it says what ``afterwards`` has for it,
            or nothing.
        afterwards: name of such a part to what it said before it was limited in time.
        reason: of the latest change, in words.
        action_id: of the action behind it; null if somebody made it by hand.
    """

    app: str = EVERY_APP
    version: int = 0
    model: str | None = None
    moderation_threshold: Share | None = None
    system_prompt_addition: str | None = None
    blocked_patterns: list[str] | None = None
    expires: dict[str, int] = {}
    afterwards: dict[str, Any] = {}
    reason: str = ""
    action_id: str | None = None

    def part(self, name: Part, now_ms: int) -> Any:
        """What it says about a part at a time; None if nothing.

        >>> policy = Policy(model="new", moderation_threshold=0.4, expires={"moderation_threshold": 100})
        >>> policy.part("moderation_threshold", 99), policy.part("moderation_threshold", 100)
        (0.4, None)
        """
        until = self.expires.get(name)
        return getattr(self, name) if until is None or now_ms < until else self.afterwards.get(name)


def in_force(layers: Iterable[Policy], now_ms: int) -> Policy:
    """What holds at a time: of each part the first that says something.

    Args:
        layers: the application's own policy, that for all, the application's defaults; at least one. What is
            no part is as in the first.
        now_ms: the time, milliseconds.

    >>> ours = Policy(app="shop", version=3, moderation_threshold=0.4, expires={"moderation_threshold": 100})
    >>> held = in_force([ours, Policy(model="new"), Policy(model="old", moderation_threshold=0.5)], 100)
    >>> held.version, held.model, held.moderation_threshold
    (3, 'new', 0.5)
    """
    layers = list(layers)
    parts: dict[str, Any] = dict.fromkeys(PARTS)
    expires: dict[str, int] = {}
    for layer in reversed(layers):
        for name in PARTS:
            if (value := layer.part(name, now_ms)) is not None:
                parts[name] = value
                expires.pop(name, None)
                if now_ms < layer.expires.get(name, now_ms):
                    expires[name] = layer.expires[name]
    return replace(layers[0], **parts, expires=expires, afterwards={})
