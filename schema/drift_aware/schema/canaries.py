"""What ``drift-aware canary`` knows of an endpoint, as it lies on ``drift.canaries.v1``."""

from typing import Literal

from msgspec import Struct

from drift_aware.schema.alerts import Alert

CanaryId = Literal["answers", "embedding"]


class Probe(Struct, kw_only=True, omit_defaults=True):
    """One golden prompt or fixed string, and what came back.

    Attributes:
        name: as in the events.
        digest: of what is asked; another text is another probe.
        rounds: of which its reference was learned.
        steady: whether it has repeated itself; one that has not is never counted as changed.
        changed: whether its last answer is none of the reference.
        answers: digests of the answers that were seen while learning.
        vector: the first vector, little-endian float32.
        jitter: the largest cosine distance from it while learning.
        distance: of the last vector; 2 if that has another number of dimensions.
        latest: digest of the last answer.
        latest_vector: as ``vector``.
    """

    name: str
    digest: str
    rounds: int = 0
    steady: bool = True
    changed: bool = False
    answers: list[str] = []
    vector: bytes = b""
    jitter: float = 0.0
    distance: float = 0.0
    latest: str = ""
    latest_vector: bytes = b""


class Canary(Struct, kw_only=True, omit_defaults=True):
    """One endpoint: its reference, its last round and what was said of it; the latest record holds.

    Attributes:
        id: what is asked of it, which is also the record's key.
        round: how many there were.
        ts: when the last one began, milliseconds.
        model: as it was asked for.
        reported: the model as the API named it in the last round.
        fingerprint: the API's ``system_fingerprint`` in the last round.
        learned: the model as the API named it while the reference was learned.
        probes: one of each prompt or string.
        beyond: rounds in a row in which more has changed than chance explains.
        calm: rounds in a row in which it has not, since then.
        since: when the first of the rounds ``beyond`` began, milliseconds.
        alert: the latest.
        day: UTC day of the last round, in days since 1970.
        spent_usd: on that day.
    """

    id: CanaryId
    round: int = 0
    ts: int = 0
    model: str = ""
    reported: str = ""
    fingerprint: str = ""
    learned: str = ""
    probes: list[Probe] = []
    beyond: int = 0
    calm: int = 0
    since: int | None = None
    alert: Alert | None = None
    day: int = 0
    spent_usd: float = 0.0
