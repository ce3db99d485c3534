"""What a round says about each probe: pure."""

import unicodedata
from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace

from drift_aware.actions.canary.asking import Round
from drift_aware.actions.canary.goldens import Question, digest
from drift_aware.actions.canary.rule import MOST_JITTER, limit
from drift_aware.schema.canaries import Probe

# Two vectors of different sizes are as far from each other as can be.
FARTHEST = 2.0


def compare(
    probes: Sequence[Probe], questions: Sequence[Question], found: Round, learn: int, *, firing: bool
) -> list[Probe]:
    """The probes after a round, one for each question; a new question begins to learn.

    Args:
        probes: before the round.
        questions: what was asked.
        found: what came back; a probe without an answer stays as it is.
        learn: rounds that make a reference.
        firing: while an alert is open, coming back means that the model has, not that a probe is unsteady.
    """
    known = {(probe.name, probe.digest): probe for probe in probes}
    compared = []
    for question in questions:
        asked = digest(question.prompt)
        probe = known.get((question.name, asked)) or Probe(name=question.name, digest=asked)
        if (text := found.answers.get(question.name)) is not None:
            probe = _answered(probe, digest(normalised(text)), learn)
        if (vector := found.vectors.get(question.name)) is not None:
            probe = _embedded(probe, vector, learn)
        before = known.get((question.name, asked))
        if before is not None and before.changed and not probe.changed and not firing:
            probe = replace(probe, steady=False)
        compared.append(probe)
    return compared


def normalised(text: str) -> str:
    r"""An answer without what does not matter: case, spacing, forms of a character, the last full stop.

    >>> normalised("  It is\n Oslo. "), normalised("it is Oslo")
    ('it is oslo', 'it is oslo')
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).rstrip(" .!")


def distance(one: bytes, other: bytes) -> float:
    """The cosine distance of two vectors of little-endian float32, 0 to 2.

    >>> a, b = (np.array(v, "<f4").tobytes() for v in ([1, 0], [0, 3]))
    >>> distance(a, a), distance(a, b), distance(a, a + a)
    (0.0, 1.0, 2.0)
    """
    if len(one) != len(other):
        return FARTHEST
    a, b = (np.frombuffer(each, "<f4").astype(float) for each in (one, other))
    # By the difference of the directions: 1 - cos would lose half the digits of a small distance.
    gap = a / np.linalg.norm(a) - b / np.linalg.norm(b)
    return float(gap @ gap) / 2


def anew(probe: Probe) -> Probe:
    """The probe with its last answer as the first of a new reference."""
    return Probe(
        name=probe.name,
        digest=probe.digest,
        rounds=1 if probe.latest or probe.latest_vector else 0,
        answers=[probe.latest] if probe.latest else [],
        vector=probe.latest_vector,
        latest=probe.latest,
        latest_vector=probe.latest_vector,
    )


def _answered(probe: Probe, answer: str, learn: int) -> Probe:
    probe = replace(probe, latest=answer)
    if probe.rounds >= learn:
        return replace(probe, changed=answer not in probe.answers)
    answers = probe.answers if answer in probe.answers else [*probe.answers, answer]
    return replace(probe, rounds=probe.rounds + 1, answers=answers, steady=len(answers) == 1)


def _embedded(probe: Probe, vector: bytes, learn: int) -> Probe:
    probe = replace(probe, latest_vector=vector)
    away = distance(probe.vector, vector) if probe.vector else 0.0
    if probe.rounds >= learn:
        return replace(probe, distance=away, changed=away > limit(probe.jitter))
    if not probe.vector or away > MOST_JITTER:
        return anew(probe)
    return replace(probe, rounds=probe.rounds + 1, distance=away, jitter=max(probe.jitter, away))
