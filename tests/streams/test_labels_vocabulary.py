"""Known words are found in a buffer of bytes as a dictionary would find them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift_aware.streams.labels.vocabulary import Vocabulary

# Up to 16 bytes: a key reads eight at each end. An é has two.
ANY = st.text("abé_", max_size=8).map(str.encode)
WORDS = st.text("abé_", min_size=2, max_size=8).map(str.encode)
TEXTS = st.lists(st.lists(ANY, max_size=10), max_size=6)


def by_dictionary(words: list[bytes], texts: list[list[bytes]]) -> list[tuple[int, int]]:
    number = {word: at for at, word in enumerate(words, 1)}
    return [(row, number[word]) for row, text in enumerate(texts) for word in text if word in number]


@given(words=st.lists(WORDS, min_size=1, max_size=30, unique=True), texts=TEXTS)
def test_words_are_found_in_their_texts(words: list[bytes], texts: list[list[bytes]]) -> None:
    rows, numbers = Vocabulary(words).find([b" ".join(text) for text in texts])
    assert list(zip(rows.tolist(), numbers.tolist(), strict=True)) == by_dictionary(words, texts)


def test_a_full_vocabulary_finds_each_of_its_words() -> None:
    words = [f"{number:x}".rjust(2, "_").encode() for number in range(30_000)]
    vocabulary = Vocabulary(words)
    rows, numbers = vocabulary.find(words)
    assert rows.tolist() == list(range(len(words)))
    assert numbers.tolist() == list(range(1, len(words) + 1))
    assert vocabulary.find([word + b"z" for word in words])[0].size == 0


@pytest.mark.parametrize("texts", [[], [b""], [b" ", b"   "], [b"a", b"b"]])
def test_nothing_is_found_where_there_is_no_word(texts: list[bytes]) -> None:
    rows, numbers = Vocabulary([b"word"]).find(texts)
    assert rows.size == numbers.size == 0


def test_more_words_than_places_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 32768"):
        Vocabulary([f"w{number}".encode() for number in range(32_769)])
