"""Programs of the user's own: how they are started, and what their end says.

A program reads one JSON object from its standard input and finds the idempotency key in ``IDEMPOTENCY_KEY``.
Exit code 0: done. Another: it has failed and has had no effect. One that looks for an effect exits with 0 if
it is there, and 1 if it is not; anything else says that it cannot tell.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from drift_aware.actions.errors import ActionFailed, Unknown

KEY_VARIABLE = "IDEMPOTENCY_KEY"
_NOT_THERE = 1
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class Ended:
    """How a program has ended.

    Attributes:
        code: its exit code; negative if a signal ended it.
        printed: on its standard output.
        said: the last line of its standard error, as the end of a sentence.
    """

    code: int
    printed: bytes
    said: str

    def require_done(self, what: str) -> None:
        """See that it has done its work.

        Args:
            what: the program is, as the beginning of a sentence.

        Raises:
            Unknown: it was killed.
            ActionFailed: it says that it has failed.
        """
        if self.code < 0:
            raise Unknown(f"{what} was ended by signal {-self.code}")
        if self.code:
            raise ActionFailed(f"{what} failed with exit code {self.code}{self.said}")

    def is_there(self, setting: str) -> bool:
        """Whether a program that looks has found the effect.

        Args:
            setting: that names the program.

        Raises:
            Unknown: it cannot tell.
        """
        if self.code not in (0, _NOT_THERE):
            raise Unknown(f"{setting} ended with {self.code}{self.said}")
        return self.code == 0

    def document(self) -> dict[str, Any] | None:
        """What it printed, if that is a JSON object."""
        try:
            found = msgspec.json.decode(self.printed)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return found if isinstance(found, dict) else None


def start(program: Sequence[str], told: Mapping[str, Any], key: str, timeout_seconds: float) -> Ended:
    """Run a program to its end.

    Raises:
        Unknown: it has not ended in time.
        ActionFailed: it cannot be started.
    """
    try:
        ended = subprocess.run(
            list(program),
            input=msgspec.json.encode(told),
            env=os.environ | {KEY_VARIABLE: key},
            capture_output=True,
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unknown(f"{program[0]} has not ended in {timeout_seconds:g} s") from None
    except OSError as error:
        raise ActionFailed(f"cannot start {program[0]}: {error.strerror}") from None
    lines = ended.stderr.decode(errors="replace").strip().splitlines()
    said = f": {lines[-1][:_SHOWN_CHARACTERS]}" if lines else ""
    return Ended(ended.returncode, ended.stdout, said)
