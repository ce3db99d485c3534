"""What is asked, round after round: the user's own prompts and strings, or these."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from drift_aware.schema.canary_settings import LEAST_PROBES, MOST_PROBES, CanaryChat, CanaryEmbedding
from drift_aware.schema.errors import SettingsError

_DIGEST_CHARACTERS = 16


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A prompt or a string.

    Attributes:
        name: in events and alerts; like no other.
        prompt: what is sent.
        expected: what a right answer has in it; None if nothing is graded.
    """

    name: str
    prompt: str
    expected: str | None = None


# Short, with one answer that models agree on, and of different kinds: a model that is another one, smaller or
# squeezed, words some of them differently.
PROMPTS: Sequence[Question] = (
    Question("sum", "What is 17 + 25? Answer with the number only.", "42"),
    Question("product", "What is 12 times 13? Answer with the number only.", "156"),
    Question("capital", "Name the capital of Norway. One word.", "Oslo"),
    Question("opposite", "Give one word that means the opposite of 'ancient'.", "modern"),
    Question("reverse", "Write the word 'lantern' backwards. Answer with the result only.", "nretnal"),
    Question("sort", "Sort these words by the alphabet, separated by commas: pear, fig, apple, kiwi."),
    Question("translate", "Translate into German, one sentence only: The bridge is closed on Sundays."),
    Question("json", 'Answer with JSON only, with the keys "city" and "country", about the city of Kyoto.'),
    Question("summary", "Say in at most eight words what a lighthouse is for."),
    Question("logic", "All crates are boxes. No box is round. Is a crate round? Answer yes or no.", "no"),
    Question("count", "How many letters has the word 'orchestra'? Answer with the number only.", "9"),
    Question("rewrite", "Make this polite, one sentence only: Send me the invoice now."),
)

TEXTS: Sequence[str] = (
    "Where is my parcel? It should have been here on Tuesday.",
    "The invoice shows a charge that I do not recognise.",
    "How do I change the address of an order that has not been sent?",
    "Thank you, that solved it at once!",
    "The app closes by itself whenever I open the map.",
    "Water boils at a lower temperature on high mountains.",
    "def mean(values): return sum(values) / len(values)",
    "A contract ends when either side gives three months' notice.",
    "Der Zug nach Hamburg hat zwanzig Minuten Verspätung.",
    "Las tiendas cierran a las ocho de la tarde.",
    "7 cups of flour, 2 eggs, 1 pinch of salt",
    "x",
)


def prompts(chat: CanaryChat) -> list[Question]:
    """The prompts of the settings or of their file, or those that are built in.

    Raises:
        SettingsError: the file cannot be used.
    """
    if chat.file is not None:
        return _read(chat.file)
    return [Question(each.name, each.prompt, each.expected) for each in chat.prompts] or list(PROMPTS)


def texts(embedding: CanaryEmbedding) -> list[Question]:
    """The strings, each named by its beginning and its digest."""
    return [Question(_named(text), text) for text in embedding.texts or TEXTS]


def digest(*parts: str) -> str:
    """What tells one text from another without holding it."""
    return hashlib.sha256("\x1e".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[
        :_DIGEST_CHARACTERS
    ]


def _named(text: str) -> str:
    return f"{' '.join(text.split())[:24]} ({digest(text)[:8]})"


def _read(file: Path) -> list[Question]:
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise SettingsError(f"cannot read {file}: {error.strerror}; set canary.chat.file") from None
    found = [_question(file, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not LEAST_PROBES <= len(found) <= MOST_PROBES:
        raise SettingsError(f"{file} has {len(found)} prompts; write {LEAST_PROBES} to {MOST_PROBES}")
    if len({question.name for question in found}) < len(found):
        raise SettingsError(f"{file}: two prompts have the same name")
    return found


def _question(file: Path, number: int, line: bytes) -> Question:
    try:
        return msgspec.json.decode(line, type=Question)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}, line {number}: {error}") from None
