"""What is built in keeps the contract of executors: nothing twice, whenever its process dies."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drift_aware.sql import store
from rig.answers import liked, stored
from rig.executor_contract import DyingContract
from rig.listener import Listener
from rig.provider import KEY, Provider


class Hook:
    """A service that is told of alerts (``rig.executor_contract.Outside``)."""

    maker = "drift_aware.actions.executors.notify.telling:make"

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self.settings: dict[str, Any] = {"notify": {"webhook": {"url": listener.url}}}

    def effects(self) -> list[str]:
        return [heard.headers["Idempotency-Key"] for heard in self._listener.heard]


class TestNotify(DyingContract):
    """Of messages to a service."""

    kind = "notify"
    steps = ("webhook", "rest")
    noted = ("webhook",)

    @pytest.fixture
    def outside(self) -> Iterator[Hook]:
        with Listener() as listener:
            yield Hook(listener)


class Training:
    """A provider that trains (``rig.executor_contract.Outside``)."""

    maker = "drift_aware.actions.tune.executor:make"

    def __init__(self, provider: Provider, folder: Path) -> None:
        self._provider = provider
        endpoint = {"base_url": provider.url, "model": "small"}
        tune = {"executor": "openai", "openai": endpoint, "directory": str(folder), "poll_seconds": 0.01}
        self.settings: dict[str, Any] = {
            "actions": {"tune": tune},
            "openai_api_key": KEY,
            "prices": {"small": {"training_per_million": 3.0}},
        }

    def effects(self) -> list[str]:
        """Of an upload, the files it trains on stand for both."""
        files = [name for what, name in self._provider.effects if what == "file"]
        keys = [found[1] for name in files if (found := re.fullmatch("drift-aware-(.*)-train.jsonl", name))]
        assert len(files) == 2 * len(keys)
        return keys + [key for what, key in self._provider.effects if what == "job"]


class TestTune(DyingContract):
    """Of files and jobs at a provider."""

    steps = ("dataset", "upload", "job", "wait")
    noted = ("upload", "job")

    @pytest.fixture
    def outside(self, database_url: str, tmp_path: Path) -> Iterator[Training]:
        stored(database_url, *liked(60))
        with Provider() as provider:
            yield Training(provider, tmp_path)


class Guardrails:
    """The policies in the record (``rig.executor_contract.Outside``)."""

    maker = "drift_aware.actions.safety:make"

    def __init__(self, url: str) -> None:
        self._url = url
        self.settings: dict[str, Any] = {}

    def effects(self) -> list[str]:
        with store.connect(self._url, "test") as connection:
            return [key for (key,) in connection.execute("SELECT key FROM policy")]


class TestSafety(DyingContract):
    """Of a policy that applications read."""

    kind = "safety"
    steps = ("tighten",)

    @pytest.fixture
    def outside(self, database_url: str) -> Guardrails:
        return Guardrails(database_url)
