"""What ``drift-aware check`` finds out."""

from msgspec import Struct


class Check(Struct, frozen=True):
    """One question and its answer; the message of a failed check says what to do."""

    name: str
    ok: bool
    message: str
