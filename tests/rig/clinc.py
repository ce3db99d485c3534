"""Real texts for tests: CLINC150 queries with embeddings, and real refusals.

They lie beside the project, in ``../shared/data``, and are not part of it; a test that needs them is skipped
where they are absent.

CLINC150: Larson et al. 2019, https://github.com/clinc/oos-eval, CC BY 3.0; embeddings of all-MiniLM-L6-v2.
Refusals: answers in XSTest, Röttger et al. 2023, https://github.com/paul-rottger/xstest.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

DATA = Path(__file__).parents[2].parent / "shared" / "data"
MODEL = "all-MiniLM-L6-v2"


@dataclass(frozen=True)
class Clinc:
    """CLINC150; row i of ``vectors``, shape (n, 384), belongs to ``texts[i]``, a query of ``domains[i]``."""

    texts: list[str]
    domains: list[str]
    vectors: NDArray[np.float16]

    def rows(self, domains: Collection[str]) -> list[int]:
        """The rows of some domains."""
        return [row for row, domain in enumerate(self.domains) if domain in domains]


def clinc() -> Clinc:
    """All queries; skips the test if they are not there."""
    queries = _lines("clinc150.jsonl")
    vectors = np.load(_there("clinc150_minilm_l6_f16.npy"))
    return Clinc([query["text"] for query in queries], [query["domain"] for query in queries], vectors)


def refusals() -> list[str]:
    """Answers that people have labelled as full refusals; skips the test if they are not there."""
    return [row["completion"] for row in _lines("refusals_dev.jsonl") if row["label"] == "2_full_refusal"]


def labelled_answers(model: str | None = None) -> list[tuple[str, bool]]:
    """Answers, and whether people say that they refuse, wholly or in part; skips the test if not there.

    Args:
        model: whose answers; None is all three.
    """
    rows = _lines("refusals_dev.jsonl")
    return [
        (row["completion"], row["label"] != "1_full_compliance")
        for row in rows
        if model in (None, row["model"])
    ]


def _lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _there(name).read_text("utf-8").splitlines()]


def _there(name: str) -> Path:
    file = DATA / name
    if not file.is_file():
        pytest.skip(
            f"the real texts are not here: no {name} in {DATA.parent.name}/{DATA.name} beside the project"
        )
    return file
