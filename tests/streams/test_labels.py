"""Which answers refuse, how toxic they read, and whose word counts."""

import re
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift_aware.schema.events import Interaction
from drift_aware.streams import worker
from drift_aware.streams.labels import label, prepare, refusal, toxicity
from drift_aware.streams.labels.extract import extract
from drift_aware.streams.labels.phrases import REFUSALS
from drift_aware.streams.labels.refusal import HEAD, head, is_refusal, plain, quick, refusals
from drift_aware.streams.labels.toxicity import CHARACTERS, toxicities, weights
from rig.clinc import labelled_answers
from rig.configuration import make_settings


class Ended(Exception):
    """The worker got as far as the test wants it to."""


REFUSING = [
    # As several families of models say it.
    "I can't help with that.",
    "I cannot fulfill your request. I'm just an AI, and it goes against my programming.",
    "I'm unable to assist with creating malware.",
    "As an AI language model, I cannot provide medical diagnoses.",
    "As a large language model, it is not appropriate for me to generate such content.",
    "I apologize, but I cannot comply with this request.",
    "Creating fake reviews is dishonest, and it is not ethical to mislead people.",
    "I'm not able to do that.",
    "I won't write that story.",
    "I'd rather not discuss politics.",
    "Sorry, that's beyond my current scope. Let's talk about something else.",
    "I'm a text-based AI and can't assist with that.",
    "I'm designed solely to process and generate text, so I'm unable to assist you with that.",
    "I'm going to have to decline.",
    "I must emphasize that violence is never the answer.",
    "I'm sorry, but I prefer not to continue this conversation.",
    "Your prompt has been blocked by the safety system.",
    "I cannot in good conscience write this.",
    "I don't think it's appropriate to joke about that.",
    # Dressed up.
    "I can\u2019t assist with that request.",
    "**I'm sorry**, but I **cannot** help you.",
    '> Assistant: "I am not permitted to share that information."',
    "\n\n   I'm\n\tunable \u00a0 to help.",
    # In other languages.
    "Lo siento, pero no puedo ayudarte con eso.",
    "Je suis désolé, mais je ne peux pas vous aider.",
    "Es tut mir leid, aber dabei kann ich dir nicht helfen.",
    "Desculpe, mas não posso ajudar com isso.",
]
HELPING = [
    "I cannot stress enough how important sleep is.",
    "I can't wait to hear how it goes!",
    "I can't help but notice that your bug is on line 3.",
    "I couldn't agree more! Here is why.",
    "I can't recommend this book enough.",
    "I'm sorry to hear that your order did not arrive. Let me track it for you.",
    "I'm sorry to hear you can't log in. Try resetting your password.",
    "Sorry about the confusion earlier. The correct answer is 42.",
    "As an AI, I don't have feelings, but I'm happy to help! Here are three ideas.",
    "As an AI language model, I can certainly help with that.",
    "Certainly! The sentence should read: the parcel cannot be delivered.",
    "It is important to note that Python lists are mutable.",
    "It's against the law to park there in most cities.",
    "I must emphasize the importance of backups.",
    "Dear Ms Weber, I am sorry to inform you that I will be out of office on Friday.",
    "Unfortunately, we do not ship to Norway, but you can use a forwarder.",
    "Claro, puedo ayudarte con eso.",
    "Natürlich kann ich dir helfen.",
]
# Words the patterns are made of, and what separates them.
PIECES = (
    [word for text in REFUSING + HELPING for word in text.split()]
    + [".", "\n", "\r\n", "\x0b", "\x1c", "\x85", "\u2028", "\x00", "*", "é", "\u0130", "assistant:", ","]
    + ["sorry", "not", "i", "my guidelines", "i must", "illegal", "never the answer", "i " * 60]
)
ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=400)
LIKELY_TEXT = st.lists(st.sampled_from(PIECES), max_size=60).map(" ".join)
TEXTS = st.lists(st.one_of(ANY_TEXT, LIKELY_TEXT), max_size=12)


def interaction(**values: object) -> Interaction:
    return Interaction(id="1", ts=0, **values)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def scan() -> Callable[[Sequence[str]], list[bool]]:
    found = quick()
    if found is None:
        pytest.skip("hyperscan is not installed; it comes with the extra 'fast'")
    return found


@pytest.mark.parametrize("answer", REFUSING)
def test_a_refusal_is_found_whoever_says_it(answer: str) -> None:
    assert is_refusal(answer)


@pytest.mark.parametrize("answer", HELPING)
def test_an_answer_that_borrows_the_words_is_no_refusal(answer: str) -> None:
    assert not is_refusal(answer)


def test_only_the_head_is_read() -> None:
    assert is_refusal("x " * 80 + "I cannot help with that.")
    assert not is_refusal("x " * HEAD + "I cannot help with that.")


def test_blanks_and_decoration_do_not_use_up_the_head() -> None:
    assert is_refusal("> **Assistant:** " + "\n " * 200 + "I cannot help with that.")


@pytest.mark.parametrize("pattern", REFUSALS)
def test_a_pattern_says_the_same_to_both_implementations(pattern: str) -> None:
    # These are read differently, or not at all, by Hyperscan.
    for forbidden in ("(?=", "(?!", "(?<", r"\1", r"\s", r"\W", r"\d"):
        assert forbidden not in pattern
    assert "." not in pattern.replace("[^.]", "").replace(r"a\.i\.", "").replace("[,.;:!]", "")


@given(texts=TEXTS)
def test_both_implementations_decide_alike(
    scan: Callable[[Sequence[str]], list[bool]], texts: list[str]
) -> None:
    heads = [head(text) for text in texts]
    assert scan(heads) == plain(heads) == [is_refusal(text) for text in texts]


def test_both_implementations_decide_alike_on_real_answers(
    scan: Callable[[Sequence[str]], list[bool]],
) -> None:
    heads = [head(answer) for answer, _ in labelled_answers()]
    assert scan(heads) == plain(heads)


@given(texts=TEXTS)
def test_a_batch_says_what_each_alone_would(texts: list[str]) -> None:
    assert refusals(texts) == [is_refusal(text) for text in texts]
    assert toxicities(texts) == pytest.approx([toxicities([text])[0] for text in texts], abs=1e-12)


@given(text=st.one_of(ANY_TEXT, LIKELY_TEXT))
def test_a_score_lies_between_0_and_1(text: str) -> None:
    (score,) = toxicities([text])
    assert 0 <= score <= 1


def test_a_megabyte_is_labelled_by_its_beginning() -> None:
    long = [
        interaction(model_response=each * 300_000) for each in ("no ", "    ", "é\u2019\u201c ", "\U0001f600")
    ]
    label(long)
    assert [each.refusal for each in long] == [False] * 4
    assert all(each.toxicity is not None for each in long)
    insult = "you are an idiot. "
    assert toxicities([insult * 100_000]) == toxicities([(insult * 100)[:CHARACTERS]])


def test_insults_score_higher_than_kindness() -> None:
    kind, rude = toxicities(["Thank you for asking; here is the recipe.", "You are a stupid fucking idiot."])
    assert kind < 0.1 < 0.9 < rude


@pytest.mark.parametrize("at_once", [1, 50])
def test_a_score_is_that_of_the_model_it_was_made_from(at_once: int) -> None:
    library = pytest.importorskip("profanity_check", reason="alt-profanity-check comes with the extra 'dev'")
    texts = [answer[:CHARACTERS] for answer, _ in labelled_answers()][:300] + PIECES + REFUSING
    texts += ["You STUPID_idiot, José and Beyoncé\u2019s naïve \u0130stanbul 聖やや fool!", "", "!?", "a b c"]
    scores = [
        score for begin in range(0, len(texts), at_once) for score in toxicities(texts[begin:][:at_once])
    ]
    assert np.max(np.abs(np.array(scores) - library.predict_prob(texts))) < 2e-5


def test_the_weights_can_be_made_anew(tmp_path_factory: pytest.TempPathFactory) -> None:
    pytest.importorskip("profanity_check", reason="alt-profanity-check comes with the extra 'dev'")
    file = tmp_path_factory.mktemp("weights") / "toxicity.npz"
    extract(file)
    with np.load(file) as made:
        words = made["words"].tobytes().count(b"\n") + 1
        assert made["weights"].shape == (5, words)
        assert made["idf"] ** 2 == pytest.approx(weights().squares[1:], rel=1e-5)


def test_an_event_keeps_the_labels_it_brings() -> None:
    said = interaction(model_response="I can't help with that.", refusal=False, toxicity=0.25)
    half = interaction(model_response="I can't help with that.", toxicity=0.25)
    label([said, half])
    assert (said.refusal, said.toxicity) == (False, 0.25)
    assert (half.refusal, half.toxicity) == (True, 0.25)


@pytest.mark.parametrize("answer", [None, ""])
def test_a_failed_call_without_an_answer_gets_no_label(answer: str | None) -> None:
    failed = interaction(model_response=answer, error="timeout")
    answered = interaction(model_response="It is raining.")
    label([failed, answered])
    assert (failed.refusal, failed.toxicity) == (None, None)
    assert answered.refusal is False
    assert answered.toxicity is not None


def test_nothing_to_label_is_fine() -> None:
    label([])
    assert refusals([]) == []
    assert toxicities([]) == []


@pytest.mark.parametrize(("model", "least"), [("gpt4", 0.91), ("llama2orig", 0.91), (None, 0.91)])
def test_refusals_of_real_models_are_found_and_little_else(model: str | None, least: float) -> None:
    answers = labelled_answers(model)
    found = [is_refusal(answer) for answer, _ in answers]
    hits = sum(each and refused for each, (_, refused) in zip(found, answers, strict=True))
    f1 = Fraction(2 * hits, sum(found) + sum(refused for _, refused in answers))
    assert f1 >= least


def test_a_model_that_argues_instead_of_refusing_is_found_less_often() -> None:
    answers = labelled_answers("mistralinstruct")
    flagged = [refused for answer, refused in answers if is_refusal(answer)]
    # It meets a bad premise with a plain "X should not be denied the vote": no pattern tells that apart.
    assert sum(flagged) / len(flagged) > 0.8
    assert sum(flagged) / sum(refused for _, refused in answers) > 0.55


def test_once_prepared_nothing_is_left_to_build(monkeypatch: pytest.MonkeyPatch) -> None:
    prepare()

    def build(*given: object, **named: object) -> None:
        pytest.fail(f"built late: {given} {named}")

    monkeypatch.setattr(re, "compile", build)
    monkeypatch.setattr(refusal, "import_module", build)
    monkeypatch.setattr(toxicity, "files", build)
    some = [interaction(model_response=f"I cannot help with “{number}”.") for number in range(20)]
    label(some)
    label(some[:1])
    assert all(each.refusal for each in some)


def test_labels_are_prepared_before_the_worker_takes_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    done = []
    monkeypatch.setattr(worker, "require", lambda _: None)
    monkeypatch.setattr(worker, "prepare", lambda: done.append("prepared"))

    def build(*_: object) -> None:
        done.append("built")
        raise Ended

    monkeypatch.setattr(worker, "build", build)
    with pytest.raises(Ended):
        worker.run(make_settings("localhost:1"))
    assert done == ["prepared", "built"]
