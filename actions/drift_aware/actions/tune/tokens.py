"""How many tokens a text is: guessed by its length, or counted with the extra ``tokens``."""

from collections.abc import Callable
from dataclasses import dataclass

from drift_aware.schema.errors import SettingsError
from drift_aware.schema.prices import Price

# English has four characters to a token; bytes do justice to scripts with more tokens to a character.
_BYTES_PER_TOKEN = 4
# Around each turn of a chat.
TURN_TOKENS = 4
DEFAULT_EPOCHS = 3


@dataclass(frozen=True)
class Counter:
    """Counts the tokens of a text.

    Attributes:
        exact: whether it is the model's own way to count.
    """

    count: Callable[[str], int]
    exact: bool


def guess(text: str) -> int:
    """About how many tokens a text is.

    >>> guess(""), guess("where is my order?")
    (0, 5)
    """
    return -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES_PER_TOKEN)


def counter(model: str | None, *, exact: bool) -> Counter:
    """Counts as a model does; guesses where nobody knows how that is.

    Raises:
        SettingsError: exact counts are asked for, and the extra is not installed.
    """
    if not exact or model is None:
        return Counter(guess, exact=False)
    try:
        import tiktoken
    except ModuleNotFoundError:
        raise SettingsError("exact tokens are an extra: pip install 'drift-aware[tokens]'") from None
    try:
        encoding = tiktoken.encoding_for_model(model)
    except (KeyError, OSError):  # a model it does not know, or a vocabulary it cannot fetch
        return Counter(guess, exact=False)
    return Counter(lambda text: len(encoding.encode_ordinary(text)), exact=True)


def training_usd(tokens: int, epochs: int | None, price: Price | None) -> float | None:
    """What training costs, US dollars; None if there is no price.

    >>> training_usd(1_000_000, 2, Price(training_per_million=25))
    50.0
    """
    if price is None or price.training_per_million is None:
        return None
    return tokens * (epochs or DEFAULT_EPOCHS) * price.training_per_million / 1e6
