"""The events of a scenario, one after the other. Pure: the same arguments give the same events."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random

from drift_aware.producers.identifiers import uuid7
from drift_aware.producers.simulate.embedder import TextHashEmbedder
from drift_aware.producers.simulate.scenarios import Mood, Scenario
from drift_aware.producers.simulate.texts import Exchange, comment, exchange
from drift_aware.schema.events import Embedding, Evaluation, Event, Feedback, Interaction

APP = "chat-demo"
CHAT_MODEL = "gpt-4o-mini"
PROMPT_VERSION = "v3"
EVAL_SET = "golden"

_FEEDBACK_SHARE = 0.2
_EVALUATION_SHARE = 0.1
_COMMENT_SHARE = 0.2
_LONGEST_SESSION = 6
_SECONDS_BETWEEN_TURNS = 2.0
_MOST_SESSIONS = 200
_MINUTE_MS = 60_000
_CHARACTERS_PER_TOKEN = 4
_PROMPT_TOKENS = 180
_TOXICITY_OF_AN_INSULT = 0.9
_LATENCY_SPREAD = 0.35


@dataclass(slots=True)
class _Session:
    """A conversation; ``leaning`` picks its topic, so that it keeps to one while the shares stay."""

    id: str
    leaning: float
    turns: int
    turn: int = 0


def events(
    scenario: Scenario,
    *,
    seed: int,
    rate: float,
    start_ms: int,
    change_at: int,
    recover_at: int | None = None,
    recovered: Callable[[], bool] = lambda: False,
    dim: int = 64,
    explicit_labels: bool = False,
) -> Iterator[Event]:
    """The scenario's events, without end, in the order of their times.

    Each interaction is followed by its embedding, in one case of five by feedback, and in one of ten by an
    evaluated answer of the minute's run; all have the time of the interaction.

    Args:
        scenario: what happens.
        seed: of everything random.
        rate: interactions per second of event time.
        start_ms: when the first one happens.
        change_at: how many interactions come before the change.
        recover_at: how many come before all is well again.
        recovered: asked before each interaction after the change, until it says that an action has helped.
        dim: of the embeddings.
        explicit_labels: say in ``refusal`` what an answer is, rather than leave it to the labellers to find
            out. ``toxicity`` is always there, as of an application that asks a moderation service.
    """
    chat = _Chat(Random(seed), TextHashEmbedder(dim), rate, explicit_labels)
    well_again = False
    index = 0
    while True:
        if index >= change_at:
            well_again = well_again or recovered() or (recover_at is not None and index >= recover_at)
        mood = scenario.before if well_again else scenario.mood(index - change_at)
        yield from chat.turn(mood, start_ms + int(index * 1000 / rate))
        index += 1


class _Chat:
    def __init__(self, random: Random, embedder: TextHashEmbedder, rate: float, explicit: bool) -> None:
        self._random = random
        self._embedder = embedder
        self._explicit = explicit
        self._sessions: list[_Session | None] = [None] * min(
            max(1, round(rate * _SECONDS_BETWEEN_TURNS)), _MOST_SESSIONS
        )

    def turn(self, mood: Mood, ts: int) -> Iterator[Event]:
        """One interaction and what comes with it."""
        session = self._next_session(ts)
        said = exchange(_topic(mood.topics, session.leaning), self._random)
        interaction = self._interaction(mood, ts, session, said)
        yield interaction
        yield Embedding(
            id=self._id(ts),
            ts=ts,
            interaction_id=interaction.id,
            vector=self._embedder.embed(said.query),
            dim=self._embedder.dim,
            dtype="float16",
            app=APP,
            model=self._embedder.name,
            prompt_version=PROMPT_VERSION,
            session_id=session.id,
        )
        if self._happens(_FEEDBACK_SHARE):
            yield self._feedback(mood, interaction)
        if self._happens(_EVALUATION_SHARE):
            yield self._evaluation(mood, ts, said)

    def _next_session(self, ts: int) -> _Session:
        """A random conversation takes its next turn; a new one starts in the place of one that is over."""
        place = int(self._random.random() * len(self._sessions))
        session = self._sessions[place]
        if session is None or session.turn == session.turns:
            turns = 1 + int(self._random.random() * _LONGEST_SESSION)
            session = _Session(self._id(ts), self._random.random(), turns)
            self._sessions[place] = session
        session.turn += 1
        return session

    def _interaction(self, mood: Mood, ts: int, session: _Session, said: Exchange) -> Interaction:
        refuses, insults = self._happens(mood.refusal), self._happens(mood.toxicity)
        answer = said.refusal if refuses else said.toxic if insults else said.answer
        input_tokens = _PROMPT_TOKENS + len(said.query) // _CHARACTERS_PER_TOKEN
        output_tokens = max(1, len(answer) // _CHARACTERS_PER_TOKEN)
        toxicity = _TOXICITY_OF_AN_INSULT if insults and not refuses else 0.0
        return Interaction(
            id=self._id(ts),
            ts=ts,
            app=APP,
            model=CHAT_MODEL,
            prompt_version=PROMPT_VERSION,
            session_id=session.id,
            turn=session.turn,
            user_query=said.query,
            model_response=answer,
            intent=said.intent,
            refusal=refuses if self._explicit else None,
            toxicity=toxicity,
            finish_reason="stop",
            latency_ms=round(mood.latency_ms * self._random.lognormvariate(0.0, _LATENCY_SPREAD), 1),
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cost_usd=round(mood.cost * (input_tokens + output_tokens) / 1000, 8),
        )

    def _feedback(self, mood: Mood, interaction: Interaction) -> Feedback:
        satisfied = self._happens(mood.satisfaction)
        by_thumb, clearly, says_why = self._happens(0.5), self._happens(0.6), self._happens(_COMMENT_SHARE)
        words = comment(satisfied, self._random)
        score = (5.0 if clearly else 4.0) if satisfied else (1.0 if clearly else 2.0)
        return Feedback(
            interaction_id=interaction.id,
            ts=interaction.ts,
            thumbs=("up" if satisfied else "down") if by_thumb else None,
            score=None if by_thumb else score,
            task_success=satisfied,
            comment=words if says_why else None,
            app=APP,
            model=CHAT_MODEL,
            prompt_version=PROMPT_VERSION,
            session_id=interaction.session_id,
        )

    def _evaluation(self, mood: Mood, ts: int, said: Exchange) -> Evaluation:
        right = self._happens(mood.accuracy)
        return Evaluation(
            eval_set=EVAL_SET,
            run_id=f"{EVAL_SET}-{ts // _MINUTE_MS}",
            ts=ts,
            expected=said.intent,
            predicted=said.intent if right else "other",
            correct=right,
            app=APP,
            model=CHAT_MODEL,
            prompt_version=PROMPT_VERSION,
        )

    def _happens(self, share: float) -> bool:
        return self._random.random() < share

    def _id(self, ts: int) -> str:
        return uuid7(ts, self._random.getrandbits(76))


def _topic(shares: Mapping[str, float], leaning: float) -> str:
    """The topic at that point, from 0 to 1, of all shares laid end to end."""
    for name, share in shares.items():
        leaning -= share
        if leaning < 0:
            return name
    return list(shares)[-1]
