"""Presidio's own analyzer as a finder; a blank spaCy pipeline stands in for a model, which is not shipped."""

from collections import Counter
from typing import Any

import pytest

from drift_aware.producers import Redaction
from drift_aware.schema.errors import SettingsError
from drift_aware.schema.redaction import presidio

# An extra that the checks do not install: it brings a hundred megabytes.
presidio_analyzer = pytest.importorskip("presidio_analyzer", exc_type=ImportError)


@pytest.fixture(scope="module")
def analyzer() -> Any:
    import spacy
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    engine = SpacyNlpEngine(models=[{"lang_code": "en", "model_name": "blank"}])
    engine.nlp = {"en": spacy.blank("en")}
    return presidio_analyzer.AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])


def test_what_presidio_finds_is_masked_beside_what_the_patterns_find(analyzer: Any) -> None:
    find = presidio.of(analyzer, entities=["CRYPTO"])
    counts: Counter[str] = Counter()
    text = "pay to 16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ or jo@example.org"
    assert Redaction(finders=[find]).text(text, "mask", counts) == "pay to [crypto] or [email]"
    assert counts == {"crypto": 1, "email": 1}


def test_a_model_that_is_not_installed_is_named_and_not_downloaded() -> None:
    with pytest.raises(SettingsError, match="python -m spacy download en_core_web_lg"):
        presidio.finder("en_core_web_lg")
