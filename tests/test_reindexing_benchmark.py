"""The benchmark of reindexing, in small: real texts, and readers who must not notice."""

from drift_aware.sql.embedded import EmbeddedPostgres
from reindexing import measure


def test_readers_of_real_texts_notice_nothing(postgres_server: EmbeddedPostgres) -> None:
    del postgres_server  # that there is one is all that is asked of it
    first, second = measure(1000, readers=1, rounds=2)
    assert (first.documents, first.embedded, second.embedded) == (1000, 1000, 100)
    assert min(first.recall, second.recall) >= 0.95
    assert second.reading.troubles == []
    assert second.reading.answers_ms
    assert len(second.cells()) == 10
