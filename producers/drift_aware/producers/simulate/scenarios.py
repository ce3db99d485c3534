"""What may happen to the simulated application: its mood before, and how it changes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Mood:
    """How the application does at one time.

    Attributes:
        topics: share of each topic; the shares add up to 1.
        accuracy: share of evaluated answers that are right.
        refusal, toxicity: shares of answers that refuse, that insult.
        satisfaction: share of feedback that is good.
        cost: dollars per thousand tokens.
        latency_ms: of the median answer.
    """

    topics: Mapping[str, float]
    accuracy: float = 0.92
    refusal: float = 0.03
    toxicity: float = 0.003
    satisfaction: float = 0.85
    cost: float = 0.0006
    latency_ms: float = 800.0

    def towards(self, other: "Mood", share: float) -> "Mood":
        """The mood ``share`` of the way to another, from 0 to 1."""

        def between(a: float, b: float) -> float:
            return a + (b - a) * share

        names = sorted({*self.topics, *other.topics})
        topics = {name: between(self.topics.get(name, 0.0), other.topics.get(name, 0.0)) for name in names}
        return Mood(
            topics=topics,
            accuracy=between(self.accuracy, other.accuracy),
            refusal=between(self.refusal, other.refusal),
            toxicity=between(self.toxicity, other.toxicity),
            satisfaction=between(self.satisfaction, other.satisfaction),
            cost=between(self.cost, other.cost),
            latency_ms=between(self.latency_ms, other.latency_ms),
        )


@dataclass(frozen=True, slots=True)
class Scenario:
    """A story.

    Attributes:
        before, after: the moods at both ends.
        ramp: over how many interactions one turns into the other; 0 is from one to the next.
        recovers: whether it is told to wait for an action, which brings ``before`` back.
    """

    about: str
    before: Mood
    after: Mood
    ramp: int = 0
    recovers: bool = False

    def mood(self, since_change: int) -> Mood:
        """The mood so many interactions after the change began; negative is before it."""
        if since_change < 0:
            return self.before
        if since_change >= self.ramp:
            return self.after
        return self.before.towards(self.after, since_change / self.ramp)


_MUSIC = Mood({"music": 0.85, "travel": 0.05, "cooking": 0.05, "banking": 0.05})
_PROGRAMMING = replace(
    _MUSIC,
    topics={"programming": 0.85, "travel": 0.05, "cooking": 0.05, "banking": 0.05},
    accuracy=0.78,
    refusal=0.12,
    satisfaction=0.68,
    cost=0.0009,
    latency_ms=1150.0,
)
_MIXED = replace(_MUSIC, topics={"music": 0.5, "travel": 0.2, "cooking": 0.15, "banking": 0.15})

SCENARIOS: dict[str, Scenario] = {
    "baseline": Scenario("nothing changes", _MUSIC, _MUSIC),
    "drift": Scenario(
        "people ask about programming in place of music; answers get worse, dearer, and refuse more",
        _MUSIC,
        _PROGRAMMING,
    ),
    "recovery": Scenario(
        "as drift, until an action is approved or has succeeded; then all is as before",
        _MUSIC,
        _PROGRAMMING,
        recovers=True,
    ),
    "refusal-creep": Scenario(
        "refusals rise from 3 % to 10 % over 2,000 interactions", _MUSIC, replace(_MUSIC, refusal=0.10), 2000
    ),
    "toxicity": Scenario("4 % of the answers insult", _MUSIC, replace(_MUSIC, toxicity=0.04)),
    "feedback-drop": Scenario("people like the answers less", _MUSIC, replace(_MUSIC, satisfaction=0.6)),
    "slow-ramp": Scenario(
        "programming takes over from music, little by little over 4,000 interactions; nothing else changes",
        _MUSIC,
        replace(_MUSIC, topics=_PROGRAMMING.topics),
        4000,
    ),
    "mix-shift": Scenario(
        "known topics change their shares",
        _MIXED,
        replace(_MIXED, topics={"music": 0.2, "travel": 0.2, "cooking": 0.15, "banking": 0.45}),
    ),
}
