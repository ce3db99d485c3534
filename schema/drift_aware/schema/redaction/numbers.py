"""Numbers that belong to a person: telephones, payment cards, bank accounts.

Sources: ISO/IEC 7812-1 annex B (Luhn), ISO 13616 with ISO/IEC 7064 (IBAN, mod 97-10), ITU-T E.164.
"""

import re
from collections.abc import Iterator

from drift_aware.schema.redaction.spans import Span

# Six digits close together, without which there is nothing to look for.
_NUMBER = re.compile(r"[0-9](?:[ .()/-]{0,3}[0-9]){5}")

# Separators between the groups of a telephone number as people write it.
_GAP = r"[ .()/-]{0,3}"
_PHONES = (
    # International: +49 (0)30 1234-567.
    re.compile(rf"(?<![\w+])\+[1-9](?:{_GAP}[0-9]){{7,14}}(?![0-9])"),
    # The same with 00, only with something between the groups: else any number with two zeros would do.
    re.compile(rf"(?<![\w+-])(?<![0-9][.,])00[1-9][0-9]{{0,2}}[ ./-](?:{_GAP}[0-9]){{6,12}}(?![0-9])"),
    # North America: (212) 555-0123, 1-800-555-0199, 212.555.0123. With blanks only it could be three numbers.
    re.compile(
        r"(?<![\w+-])(?<![0-9][.,])(?:1[ .-])?"
        r"(?:\([2-9][0-9]{2}\) ?[2-9][0-9]{2}[ .-]|[2-9][0-9]{2}([.-])[2-9][0-9]{2}\1)[0-9]{4}(?![\w-])"
    ),
    # A trunk 0 and groups: 030 1234567, (0171) 123 45 67, 01 42 68 53 00, 020 7946 0958.
    re.compile(
        r"(?<![\w+-])(?<![0-9][.,])(?:\(0[1-9][0-9]{0,4}\)|0[1-9][0-9]{0,4}[ ./-])"
        rf"(?:{_GAP}[0-9]){{5,10}}(?![\w])"
    ),
    # Mobiles in one piece, by their prefixes in Germany, in France and the Netherlands, in Britain.
    re.compile(r"(?<![\w+-])(?<![0-9][.,])(?:01[5-7][0-9]{8,9}|0[67][0-9]{8}|07[0-9]{9})(?![\w])"),
    # Any number that is called one.
    re.compile(
        r"\b(?:tel|telefon|telephone|phone|mobile|handy|fax|whatsapp)(?: number| no)?[.:]{0,2} {0,2}(?:is )?"
        rf"(?P<number>\(?[0-9](?:{_GAP}[0-9]){{5,13}})(?![0-9])",
        re.IGNORECASE,
    ),
)
_DATE = re.compile(
    r"(?:[0-3]?[0-9]([ ./-])[0-3]?[0-9]\1(?:19|20)[0-9]{2}|(?:19|20)[0-9]{2}([./-])[01]?[0-9]\2[0-3]?[0-9])"
    r"(?![0-9])"
)
_LEAST_DIGITS, _LEAST_DIGITS_AFTER_ZERO, _MOST_DIGITS = 7, 9, 15  # fewer after a zero are times of the day

_CARD_RUN = re.compile(r"(?<![\w-])(?<![0-9][.,])[0-9](?:[ -]?[0-9]){12,}(?![\w])")
_GROUP = re.compile(r"[0-9]+")
_CARD = re.compile(
    r"4[0-9]{12}(?:[0-9]{3}){0,2}"  # Visa
    r"|(?:5[1-5]|2[2-7])[0-9]{14}"  # Mastercard
    r"|3[47][0-9]{13}"  # American Express
    r"|3(?:0[0-5]|[68][0-9])[0-9]{11}"  # Diners Club
    r"|(?:6011|64[4-9][0-9]|65[0-9]{2}|62[0-9]{2}|35[0-9]{2})[0-9]{12,15}"  # Discover, UnionPay, JCB
)
_MOST_CARD_GROUPS = 7

# Looked at without being taken, so that a word like one does not hide a number that begins inside it.
_IBAN = re.compile(
    r"(?<![A-Za-z0-9])(?=(?P<all>(?P<country>[A-Za-z]{2})[0-9]{2}(?:[ -]?[A-Za-z0-9]){11,30}))"
)
# Country to the length of its account numbers.
_IBAN_LENGTHS = {
    **dict.fromkeys(("NO",), 15),
    **dict.fromkeys(("BE", "BI"), 16),
    **dict.fromkeys(("DK", "FI", "FO", "FK", "GL", "NL", "SD"), 18),
    **dict.fromkeys(("MK", "SI"), 19),
    **dict.fromkeys(("AT", "BA", "EE", "KZ", "LT", "LU", "MN", "XK"), 20),
    **dict.fromkeys(("CH", "HR", "LI", "LV"), 21),
    **dict.fromkeys(("BG", "BH", "CR", "DE", "GB", "GE", "IE", "ME", "RS", "VA"), 22),
    **dict.fromkeys(("AE", "GI", "IL", "IQ", "OM", "SO", "TL"), 23),
    **dict.fromkeys(("AD", "CZ", "ES", "MD", "PK", "RO", "SA", "SE", "SK", "TN", "VG"), 24),
    **dict.fromkeys(("LY", "PT", "ST"), 25),
    **dict.fromkeys(("IS", "TR"), 26),
    **dict.fromkeys(("DJ", "FR", "GR", "IT", "MC", "MR", "SM"), 27),
    **dict.fromkeys(("AL", "AZ", "BY", "CY", "DO", "EG", "GT", "HU", "LB", "NI", "PL", "SV"), 28),
    **dict.fromkeys(("BR", "PS", "QA", "UA"), 29),
    **dict.fromkeys(("JO", "KW", "MU", "YE"), 30),
    **dict.fromkeys(("MT", "SC"), 31),
    **dict.fromkeys(("LC",), 32),
    **dict.fromkeys(("RU",), 33),
}


def phones(text: str) -> Iterator[Span]:
    """Telephone numbers: international ones, and national ones in the forms people write."""
    if not _NUMBER.search(text):
        return
    for pattern in _PHONES:
        group = "number" if "number" in pattern.groupindex else 0
        for match in pattern.finditer(text):
            number = match[group]
            if _plausible(number):
                yield Span(match.start(group), match.end(group), "phone")


def _plausible(number: str) -> bool:
    digits = sum(character.isdecimal() for character in number)
    least = _LEAST_DIGITS_AFTER_ZERO if number.lstrip("(").startswith("0") else _LEAST_DIGITS
    return least <= digits <= _MOST_DIGITS and not _DATE.match(number)


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others.

    >>> luhn("4111111111111111"), luhn("4111111111111112")
    (True, False)
    """
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[::-2])) + sum(doubled)) % 10 == 0


def cards(text: str) -> Iterator[Span]:
    """Numbers of payment cards: of a known issuer, of its length, and with the right check digit."""
    if _NUMBER.search(text):
        for match in _CARD_RUN.finditer(text):
            yield from _cards_in(match)


def _cards_in(run: re.Match[str]) -> Iterator[Span]:
    """A card may stand among other numbers, so it may begin and end with any group of the run."""
    groups = [(run.start() + group.start(), run.start() + group.end()) for group in _GROUP.finditer(run[0])]
    after = 0
    for first, (start, _) in enumerate(groups):
        if start < after:
            continue
        for _, end in reversed(groups[first : first + _MOST_CARD_GROUPS]):
            compact = run.string[start:end].replace(" ", "").replace("-", "")
            if _CARD.fullmatch(compact) and luhn(compact):
                yield Span(start, end, "card")
                after = end
                break


def mod97(iban: str) -> bool:
    """Whether the two check digits of an account number are right.

    >>> mod97("GB82WEST12345698765432"), mod97("GB83WEST12345698765432")
    (True, False)
    """
    return int("".join(str(int(character, 36)) for character in iban[4:] + iban[:4])) % 97 == 1


def ibans(text: str) -> Iterator[Span]:
    """International bank account numbers: of a known country, of its length, and with right check digits."""
    if not _NUMBER.search(text):
        return
    for match in _IBAN.finditer(text):
        candidate, length = match["all"], _IBAN_LENGTHS.get(match["country"].upper(), 0)
        at = [index for index, character in enumerate(candidate) if character.isalnum()][:length]
        if length and len(at) == length and mod97("".join(candidate[index] for index in at)):
            yield Span(match.start(), match.start() + at[-1] + 1, "iban")
