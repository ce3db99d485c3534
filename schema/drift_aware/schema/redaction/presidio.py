"""Names, places and whatever else Microsoft's Presidio finds, by the extra ``presidio``."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from drift_aware.schema.errors import SettingsError
from drift_aware.schema.redaction.spans import Finder, Span

if TYPE_CHECKING:
    from presidio_analyzer import AnalyzerEngine

LEAST_SCORE = 0.5


def finder(model: str, language: str = "en", entities: Sequence[str] | None = None) -> Finder:
    """What Presidio finds with a spaCy model that is installed already; nothing is downloaded.

    Loading takes seconds and a text takes milliseconds: it runs in the Publisher's thread, and what the
    application publishes faster than that is dropped and counted.

    Args:
        model: the spaCy model, as in ``en_core_web_lg``.
        language: of the texts.
        entities: Presidio's names of what to look for, by default all it knows.

    Raises:
        SettingsError: Presidio or the model is not installed.
    """
    try:
        import spacy.util
        from presidio_analyzer import AnalyzerEngine
        from presidio_analyzer.nlp_engine import NlpEngineProvider
    except ModuleNotFoundError:
        raise SettingsError("presidio is an extra: pip install 'drift-aware[presidio]'") from None
    if not spacy.util.is_package(model):
        raise SettingsError(f"spaCy has no model {model}; run: python -m spacy download {model}")
    configuration = {"nlp_engine_name": "spacy", "models": [{"lang_code": language, "model_name": model}]}
    engine = NlpEngineProvider(nlp_configuration=configuration).create_engine()
    return of(AnalyzerEngine(nlp_engine=engine, supported_languages=[language]), language, entities)


def of(analyzer: "AnalyzerEngine", language: str = "en", entities: Sequence[str] | None = None) -> Finder:
    """What an analyzer of your own finds, with a score of at least one half."""
    wanted = None if entities is None else list(entities)

    def find(text: str) -> Iterable[Span]:
        for result in analyzer.analyze(text, language=language, entities=wanted, score_threshold=LEAST_SCORE):
            yield Span(result.start, result.end, result.entity_type.lower())

    return find
