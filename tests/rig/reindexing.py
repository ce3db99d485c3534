"""What a reindex needs around it: a collection, a source and an endpoint."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drift_aware.actions.errors import OverBudget
from drift_aware.actions.executor import Job
from drift_aware.actions.executors import reindex
from drift_aware.actions.executors.reindex import ReindexExecutor
from drift_aware.schema.alerts import Action
from drift_aware.schema.settings import Settings
from drift_aware.sql import store
from rig.configuration import make_settings
from rig.embeddings import KEY, Endpoint
from rig_events import alert

MODEL, DIM = "test-embedding", 32
ATTEMPTS = 4


@dataclass
class Bench:
    """A collection, a source, and what a reindex needs."""

    url: str
    endpoint: Endpoint
    file: Path
    bootstrap: str | None = None
    booked: list[float] = field(default_factory=list)
    reserved: list[float] = field(default_factory=list)
    budget: float = float("inf")

    def write(self, *texts: str, prefix: str = "doc") -> None:
        """Let the source have these texts."""
        rows = [{"id": f"{prefix}-{n}", "text": text, "lang": "en"} for n, text in enumerate(texts)]
        self.file.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def settings(self, **changes: Any) -> Settings:
        embedding = {
            "kind": "endpoint",
            "base_url": self.endpoint.url,
            "model": MODEL,
            "dimensions": DIM,
            "api_key": KEY,
            "batch_texts": 10,
            "timeout_seconds": 2,
            "attempts": ATTEMPTS,
        } | changes.pop("embedding", {})
        section = {
            "source": {"kind": "jsonl", "path": str(self.file)},
            "embedding": embedding,
            "prices_usd": {MODEL: 1000.0, "other": 0.0},
            "max_gone": 1.0,
            "swap_attempts": ATTEMPTS,
        } | changes
        return make_settings(self.bootstrap, self.url, actions={"reindex": section})

    def executor(self, **changes: Any) -> ReindexExecutor:
        made = reindex.make(self.settings(**changes))
        assert made is not None
        return made

    def job(self, name: str = "a1", **results: Any) -> Job:
        action = Action(
            id=name,
            revision=1,
            action="reindex",
            status="running",
            alert_id="alert",
            segment="all",
            metric="embedding_cosine",
            severity="warning",
            ts=0,
            dry_run=False,
            reason="test",
        )
        return Job(
            action=action,
            alert=alert(1),
            results=results,
            connect=lambda: store.connect(self.url, "test"),
            spend=self._spend,
            spent=lambda usd, _: self.booked.append(usd),
            progress=lambda done, of: None,
        )

    def _spend(self, usd: float, what: str) -> None:
        if sum(self.booked) + usd > self.budget:
            raise OverBudget("the day's budget is spent")
        self.reserved.append(usd)

    def run(self, name: str = "a1", until: str = "publish", **changes: Any) -> dict[str, Any]:
        """Do all steps, as the engine would; what they gave."""
        executor = self.executor(**changes)
        results: dict[str, Any] = {}
        for step in executor.steps:
            results[step] = executor.do(step, self.job(name, **results))
            if step == until:
                break
        return results

    def live(self) -> dict[str, str]:
        """Ids and texts of what the application sees, all with a vector."""
        return dict(self.rows("SELECT id, content FROM documents WHERE embedding IS NOT NULL"))

    def tables(self) -> set[str]:
        return {
            name
            for (name,) in self.rows(
                "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'documents%'"
            )
        }

    def rows(self, statement: Any) -> list[Any]:
        with store.connect(self.url, "test") as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []


def texts(count: int, word: str = "topic") -> list[str]:
    """Different texts, in seven groups."""
    return [f"{word}{n % 7} text number {n}" for n in range(count)]
