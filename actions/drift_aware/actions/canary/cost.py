"""What rounds cost, before and after: pure."""

from collections.abc import Iterable, Mapping

from drift_aware.actions.canary.asking import Chat, Endpoint, Round
from drift_aware.actions.prices import price
from drift_aware.actions.tune.tokens import TURN_TOKENS, guess
from drift_aware.schema.canaries import Canary
from drift_aware.schema.errors import SettingsError
from drift_aware.schema.prices import Price

_DAY_MS = 86_400_000
_MINUTES_A_DAY = 24 * 60
# Guesses by length are sometimes half of what is billed.
_CAUTION = 2
# Of an answer whose length nothing limits.
_LONG_ANSWER_TOKENS = 1000


def most_usd(endpoint: Endpoint, prices: Mapping[str, Price]) -> float | None:
    """What a round costs at most, US dollars; None if ``prices`` does not say."""
    if isinstance(endpoint, Chat):
        turns = [turn for question in endpoint.questions for turn in endpoint.body(question)["messages"]]
        asked = sum(guess(turn["content"]) + TURN_TOKENS for turn in turns)
        answer = endpoint.body(endpoint.questions[0]).get("max_tokens", _LONG_ANSWER_TOKENS)
        return _usd(endpoint, prices, _CAUTION * asked, len(endpoint.questions) * answer)
    asked = sum(guess(question.prompt) + TURN_TOKENS for question in endpoint.questions)
    return _usd(endpoint, prices, _CAUTION * asked, 0)


def spent_usd(endpoint: Endpoint, prices: Mapping[str, Price], found: Round) -> float | None:
    """What a round has cost; None if ``prices`` does not say.

    An API that counts no tokens is taken to have used the most.
    """
    if not found.input_tokens:
        return most_usd(endpoint, prices)
    return _usd(endpoint, prices, found.input_tokens, found.output_tokens)


def most_usd_a_day(
    endpoints: Iterable[Endpoint], prices: Mapping[str, Price], every_minutes: float
) -> float | None:
    """What a day costs at most; None if that of one endpoint is not known."""
    rounds = [most_usd(endpoint, prices) for endpoint in endpoints]
    known = [usd for usd in rounds if usd is not None]
    return sum(known) * _MINUTES_A_DAY / every_minutes if len(known) == len(rounds) else None


def spent_today(canaries: Iterable[Canary], ts: int) -> float:
    """What all endpoints have cost on the UTC day of ``ts``, milliseconds."""
    return sum(canary.spent_usd for canary in canaries if canary.day == day_of(ts))


def day_of(ts: int) -> int:
    """The UTC day of a time in milliseconds, in days since 1970."""
    return ts // _DAY_MS


def _usd(endpoint: Endpoint, prices: Mapping[str, Price], asked: int, answered: int) -> float | None:
    tokens = {"input": asked, "output": answered} if isinstance(endpoint, Chat) else {"embedding": asked}
    try:
        return price(prices, endpoint.model, **tokens)
    except SettingsError:
        return None
