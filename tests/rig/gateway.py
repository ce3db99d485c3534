"""LiteLLM with our logger, and a model behind it."""

import json
import subprocess
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, Self

from rig.configuration import environment
from rig.models import Models

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is my parcel?"}]
KEY = "sk-0123456789abcdef0123"
_TESTS = Path(__file__).parents[1]
# LiteLLM would fetch its prices from the internet.
LOCAL = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONPATH": str(_TESTS)}


class Gateway:
    """Runs while it is entered; see ``rig.litellm_process``."""

    def __init__(self, folder: Path, bootstrap: str | None = None) -> None:
        self.models = Models()
        self._ids = map("chatcmpl-{}".format, count(1))
        self._bootstrap = bootstrap
        self._log = folder / "litellm.stderr"

    def ask(
        self,
        way: str = "at once",
        *,
        model: str = "openai/gpt-4o",
        expected: int = 1,
        sabotage: bool = False,
        twice: bool = False,
        logger: dict[str, Any] | None = None,
        litellm: dict[str, Any] | None = None,
        **asked: Any,
    ) -> dict[str, Any]:
        """Call LiteLLM in one of its ways.

        Args:
            way: see ``rig.litellm_process``.
            model: as LiteLLM knows it.
            expected: how many events are waited for.
            sabotage: whether the publisher raises.
            twice: whether the logger is told of everything twice.
            logger: arguments of the logger.
            litellm: settings of LiteLLM for this call.
            asked: arguments of the call; a chat has ``MESSAGES`` if it says nothing.

        Returns:
            ``id`` of the response, what it ``raised``, the ``events`` and how many were ``seen``.
        """
        if not asked.keys() & {"input", "prompt", "messages"}:
            asked["messages"] = MESSAGES
        self.models.saying = replace(self.models.saying, id=next(self._ids))
        where = {"api_base": f"{self.models.url}/v1", "api_key": KEY, "max_retries": 0, "model": model}
        step = {
            "way": way,
            "asked": where | asked,
            "expected": expected,
            "sabotage": sabotage,
            "twice": twice,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        written = json.dumps(step | {"twice": twice, "logger": logger or {}, "litellm": litellm or {}})
        self._process.stdin.write(f"{written}\n")
        self._process.stdin.flush()
        while not (line := self._process.stdout.readline()).startswith("{"):
            assert line, self._log.read_text()[-4000:]  # LiteLLM prints notes in between
        told: dict[str, Any] = json.loads(line)
        return told

    def only(self, *given: Any, **options: Any) -> dict[str, Any]:
        """The one event that a call has published."""
        [event] = self.ask(*given, **options)["events"]
        found: dict[str, Any] = event
        return found

    def __enter__(self) -> Self:
        self.models.__enter__()
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "rig.litellm_process"],
                env=environment(self._bootstrap) | LOCAL,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self.models.__exit__()
