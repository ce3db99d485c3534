"""What is looked for without a model: mail addresses, network addresses, secrets, and numbers (numbers.py).

Every pattern takes time in proportion to the text, whatever the text: repetitions are bounded or possessive,
or begin only where a word does. A test holds them to it. A cheap look decides whether a pattern runs at all.
"""

import re
from collections.abc import Iterator, Mapping
from ipaddress import AddressValueError, IPv6Address

from drift_aware.schema.redaction.numbers import cards, ibans, phones
from drift_aware.schema.redaction.spans import Finder, Span

_EMAIL = re.compile(
    r"[\w.%+-]{1,64}+@(?:[\w-]{1,63}+\.){1,8}(?:xn--[a-z0-9-]{2,59}|[^\W\d_]{2,24})", re.IGNORECASE
)

_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_IPV4 = re.compile(rf"(?<![\w.])(?:{_OCTET}\.){{3}}{_OCTET}(?!\.?\w)")
_DOTTED = re.compile(r"[0-9]\.[0-9]")
_VERSION = re.compile(r"(?:version|release|build|firmware)\W{1,2}$", re.IGNORECASE)
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f:][0-9A-Fa-f:.]{1,44}(?![\w:])")
_LEAST_HEXADECIMAL_DIGITS = 4  # fewer are an operator between two letters of a program

# A word that occurs in every text the pattern matches, and the pattern.
_SECRETS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("sk-", re.compile(r"(?<![\w-])sk-[\w-]{16,}")),
    ("k_", re.compile(r"(?<!\w)[psr]k_(?:live|test)_\w{16,}")),
    ("gh", re.compile(r"(?<!\w)gh[oprsu]_[A-Za-z0-9]{30,}")),
    ("github_pat_", re.compile(r"(?<!\w)github_pat_\w{22,}")),
    ("glpat-", re.compile(r"(?<![\w-])glpat-[\w-]{20,}")),
    ("hf_", re.compile(r"(?<!\w)hf_[A-Za-z0-9]{30,}")),
    ("AKIA", re.compile(r"(?<!\w)AKIA[A-Z0-9]{16}(?!\w)")),
    ("ASIA", re.compile(r"(?<!\w)ASIA[A-Z0-9]{16}(?!\w)")),
    ("AIza", re.compile(r"(?<!\w)AIza[\w-]{35}")),
    ("xox", re.compile(r"(?<!\w)xox[a-z]-[\w-]{10,}")),
    ("eyJ", re.compile(r"(?<![\w-])eyJ[\w-]{8,}+\.eyJ[\w-]{8,}+\.[\w-]*")),
    (
        "PRIVATE KEY",
        # A key that was cut off counts up to the end of the text.
        re.compile(
            r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
            r".*?(?:-----END [A-Z0-9 ]{0,50}-----|\Z)",
            re.DOTALL,
        ),
    ),
    ("earer", re.compile(r"(?<!\w)[Bb]earer[ \t]{1,4}[\w.~+/-]{16,}={0,2}")),
    ("EARER", re.compile(r"(?<!\w)BEARER[ \t]{1,4}[\w.~+/-]{16,}={0,2}")),
)
_DIGIT = re.compile(r"[0-9]")


def emails(text: str) -> Iterator[Span]:
    """Mail addresses."""
    if "@" in text:
        for match in _EMAIL.finditer(text):
            yield Span(match.start(), match.end(), "email")


def addresses(text: str) -> Iterator[Span]:
    """IPv4 and IPv6 addresses; four numbers that are called a version are none."""
    if text.count(".") >= 3 and _DOTTED.search(text):
        for match in _IPV4.finditer(text):
            if not _VERSION.search(text, max(0, match.start() - 10), match.start()):
                yield Span(match.start(), match.end(), "ip")
    if text.count(":") >= 2:
        for match in _IPV6.finditer(text):
            if length := _ipv6_length(match[0]):
                yield Span(match.start(), match.start() + length, "ip")


def _ipv6_length(candidate: str) -> int:
    """How many of its characters are an address; 0 if none are."""
    candidate = candidate.rstrip(".")
    if candidate.endswith(":") and not candidate.endswith("::"):
        candidate = candidate[:-1]  # the end of a clause
    digits = candidate.replace(":", "").replace(".", "")
    if candidate.count(":") < 2 or len(digits) < _LEAST_HEXADECIMAL_DIGITS or not _DIGIT.search(digits):
        return 0
    try:
        IPv6Address(candidate)
    except AddressValueError:
        return 0
    return len(candidate)


def secrets(text: str) -> Iterator[Span]:
    """API keys, tokens and private keys, known by how they begin."""
    for hint, pattern in _SECRETS:
        if hint in text:
            for match in pattern.finditer(text):
                if _DIGIT.search(match[0]) or hint == "PRIVATE KEY":  # else it is words with hyphens
                    yield Span(match.start(), match.end(), "secret")


FINDERS: Mapping[str, Finder] = {
    "email": emails,
    "phone": phones,
    "card": cards,
    "iban": ibans,
    "ip": addresses,
    "secret": secrets,
}
