"""What a call to a provider costs, by the settings' table: pure."""

from collections.abc import Mapping

from drift_aware.schema.errors import SettingsError
from drift_aware.schema.prices import Price

_MILLION = 1_000_000


def price(prices: Mapping[str, Price], model: str, **tokens: int) -> float:
    """What so many tokens of a model cost, US dollars.

    Args:
        prices: the section ``prices``.
        model: as it is called there.
        **tokens: how many of each sort: ``input``, ``output``, ``training``, ``embedding``.

    Raises:
        SettingsError: the table does not say.

    >>> table = {"small": Price(input_per_million=0.5, output_per_million=1.5)}
    >>> price(table, "small", input=2_000_000, output=1_000_000)
    2.5
    """
    if model not in prices:
        raise SettingsError(f"the price of {model} is not known; write it into prices, 0 if it costs nothing")
    return sum(
        _per_million(prices[model], model, sort) * number / _MILLION for sort, number in tokens.items()
    )


def _per_million(of: Price, model: str, sort: str) -> float:
    found: float | None = getattr(of, f"{sort}_per_million")
    if found is None:
        raise SettingsError(f"prices says nothing of {sort} tokens of {model}; set {sort}_per_million")
    return found
