"""Models that answer over HTTP as OpenAI and Anthropic do, at once or in chunks, on this machine."""

import base64
import json
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rig.listener import Heard, Listener, Reply

MODEL = "small-1"
# What a provider calls the model that has answered: exactly one of those that go by the name.
SNAPSHOT = "small-1-2026-01-05"
TOKENS = (11, 7)
VECTOR = [0.6, 0.0, -0.8]


@dataclass(frozen=True)
class Saying:
    """What a model says.

    Attributes:
        words: its answer, in the pieces in which it comes.
        refuses: whether the API says that it is a refusal.
        calls_tool: whether it calls a tool instead.
        ends: whether a streamed answer comes to its end; if not, the connection ends well all the same.
        id: of a completion.
    """

    words: tuple[str, ...] = ("It left ", "this ", "morning.")
    refuses: bool = False
    calls_tool: bool = False
    ends: bool = True
    id: str = "chatcmpl-1"

    @property
    def text(self) -> str:
        return "".join(self.words)


class Models(Listener):
    """Answers whatever it is asked with ``saying``; what is in ``next`` comes before."""

    def __init__(self, saying: Saying | None = None) -> None:
        super().__init__(self._said)
        self.saying = saying or Saying()

    @property
    def asked(self) -> list[Any]:
        """The bodies of the requests."""
        return [heard.json for heard in self.heard]

    def streamed(self, path: str) -> Reply:
        """A streamed answer, all of it."""
        return events(STREAMS[_api(path)](self.saying))

    def _said(self, heard: Heard) -> Reply:
        api = _api(heard.path)
        if heard.json.get("stream"):
            return self.streamed(heard.path)
        return document(_embedded(heard.json) if api == "embeddings" else ANSWERS[api](self.saying))


def document(body: object) -> Reply:
    """An answer at once."""
    return Reply(body=json.dumps(body).encode(), headers=(("Content-Type", "application/json"),))


def events(found: Iterable[Mapping[str, Any] | str]) -> Reply:
    """An answer of server-sent events."""
    lines = []
    for each in found:
        if isinstance(each, str):
            lines.append(f"data: {each}\n\n")
        else:
            name = f"event: {each['type']}\n" if "type" in each else ""
            lines.append(f"{name}data: {json.dumps(each)}\n\n")
    return Reply(body="".join(lines).encode(), headers=(("Content-Type", "text/event-stream"),))


def _api(path: str) -> str:
    return path.partition("?")[0].rpartition("/")[2]


def _completion(saying: Saying) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": saying.text, "refusal": None}
    reason = "stop"
    if saying.refuses:
        message |= {"content": None, "refusal": saying.text}
    if saying.calls_tool:
        call = {"id": "c1", "type": "function", "function": {"name": "track", "arguments": "{}"}}
        message, reason = {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
    choice = {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
    return _envelope("chat.completion", saying, choices=[choice], usage=_openai_usage())


def _completion_chunks(saying: Saying) -> list[dict[str, Any] | str]:
    name = "refusal" if saying.refuses else "content"
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    reason = "stop"
    if saying.calls_tool:
        call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "track", "arguments": "{}"}}
        deltas, reason = [{"role": "assistant", "tool_calls": [call]}], "tool_calls"
    else:
        deltas += [{name: piece} for piece in saying.words]
    # Azure begins with what its filter says of the question: a chunk without choices.
    given: list[list[Any]] = [[], *([_delta(delta)] for delta in deltas)]
    chunks: list[dict[str, Any] | str] = [_chunk(saying, choices=choices) for choices in given]
    if not saying.ends:
        return chunks
    last = _chunk(saying, choices=[_delta({}, reason)])
    return [*chunks, last, _chunk(saying, choices=[], usage=_openai_usage()), "[DONE]"]


def _delta(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": reason}


def _chunk(saying: Saying, **more: Any) -> dict[str, Any]:
    return _envelope("chat.completion.chunk", saying, **more)


def _envelope(kind: str, saying: Saying, **more: Any) -> dict[str, Any]:
    return {"id": saying.id, "object": kind, "created": 1, "model": SNAPSHOT, **more}


def _openai_usage() -> dict[str, int]:
    return {"prompt_tokens": TOKENS[0], "completion_tokens": TOKENS[1], "total_tokens": sum(TOKENS)}


def _response(saying: Saying) -> dict[str, Any]:
    part: dict[str, Any] = {"type": "output_text", "text": saying.text, "annotations": []}
    if saying.refuses:
        part = {"type": "refusal", "refusal": saying.text}
    thought = {"type": "reasoning", "id": "r1", "summary": [{"type": "summary_text", "text": "Hm."}]}
    message: dict[str, Any] = {"type": "message", "id": "m1", "role": "assistant", "content": [part]}
    if saying.calls_tool:
        message = {"type": "function_call", "call_id": "c1", "name": "track", "arguments": "{}"}
    usage = {"input_tokens": TOKENS[0], "output_tokens": TOKENS[1], "total_tokens": sum(TOKENS)}
    return _begun() | {"status": "completed", "output": [thought, message], "usage": usage}


def _begun() -> dict[str, Any]:
    given: dict[str, Any] = {"tools": [], "tool_choice": "auto", "parallel_tool_calls": True, "output": []}
    return {"id": "resp-1", "object": "response", "model": SNAPSHOT, "status": "queued", **given}


def _response_events(saying: Saying) -> list[dict[str, Any]]:
    kind = "refusal" if saying.refuses else "output_text"
    place = {"item_id": "m1", "output_index": 0, "content_index": 0, "logprobs": []}
    found: list[dict[str, Any]] = [{"type": "response.created", "response": _begun()}]
    if not saying.calls_tool:
        item = {"type": "message", "id": "m1", "role": "assistant", "status": "in_progress", "content": []}
        part = {"type": kind, "text": "", "refusal": "", "annotations": []}
        found += [
            {"type": "response.output_item.added", "output_index": 0, "item": item},
            {"type": "response.content_part.added", **place, "part": part},
        ]
        found += [{"type": f"response.{kind}.delta", "delta": piece, **place} for piece in saying.words]
    if saying.ends:
        found.append({"type": "response.completed", "response": _response(saying)})
    return [{"sequence_number": number, **each} for number, each in enumerate(found)]


def _message(saying: Saying) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": saying.text}
    reason = "refusal" if saying.refuses else "end_turn"
    if saying.calls_tool:
        block, reason = {"type": "tool_use", "id": "c1", "name": "track", "input": {}}, "tool_use"
    return _opened() | {"content": [block], "stop_reason": reason, "usage": _anthropic_usage(TOKENS[1])}


def _opened() -> dict[str, Any]:
    given: dict[str, Any] = {
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _anthropic_usage(1),
    }
    return {"id": "msg-1", "type": "message", "role": "assistant", "model": SNAPSHOT, **given}


def _anthropic_usage(output: int) -> dict[str, int]:
    cached = {"cache_creation_input_tokens": 2, "cache_read_input_tokens": 3}
    return {"input_tokens": TOKENS[0] - 5, **cached, "output_tokens": output}


def _message_events(saying: Saying) -> list[dict[str, Any]]:
    whole = _message(saying)
    block = whole["content"][0] | ({} if saying.calls_tool else {"text": ""})
    found: list[dict[str, Any]] = [
        {"type": "message_start", "message": _opened()},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "ping"},
    ]
    if not saying.calls_tool:
        for piece in saying.words:
            delta = {"type": "text_delta", "text": piece}
            found.append({"type": "content_block_delta", "index": 0, "delta": delta})
    if not saying.ends:
        return found
    last = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    return [
        *found,
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": last, "usage": {"output_tokens": TOKENS[1]}},
        {"type": "message_stop"},
    ]


def _embedded(body: Mapping[str, Any]) -> dict[str, Any]:
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    vector: object = VECTOR
    if body.get("encoding_format") == "base64":
        vector = base64.b64encode(array("f", VECTOR).tobytes()).decode()
    data = [{"object": "embedding", "index": n, "embedding": vector} for n in range(len(texts))]
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    return {"object": "list", "model": SNAPSHOT, "data": data, "usage": usage}


ANSWERS = {"completions": _completion, "responses": _response, "messages": _message}
STREAMS: Mapping[str, Any] = {
    "completions": _completion_chunks,
    "responses": _response_events,
    "messages": _message_events,
}
