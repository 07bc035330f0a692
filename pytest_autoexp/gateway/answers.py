"""What a provider's answer says: its text, its tool calls, and what was used; streamed or not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_JSON = (ValueError, RecursionError)


@dataclass
class Answer:
    """An answer as far as it has come.

    Attributes:
        text: What the model wrote.
        tools: Tool calls by their key in the stream: ``[name, arguments]``.
        accounts: What genai-prices reads: the model that answered, and what was used.
        complete: True once the answer's own end has come.
    """

    text: str = ""
    tools: dict[Any, list[str]] = field(default_factory=dict)
    accounts: dict[str, Any] = field(default_factory=dict)
    complete: bool = False

    @property
    def tool_calls(self) -> list[dict[str, str]]:
        """Name and arguments of each."""
        return [{"name": name, "arguments": arguments} for name, arguments in self.tools.values()]

    def add_tool(self, key: Any, name: object, arguments: object) -> None:
        """Add to a tool call."""
        call = self.tools.setdefault(key, ["", ""])
        call[0] += name if isinstance(name, str) else ""
        if isinstance(arguments, str):
            call[1] += arguments
        elif arguments:
            call[1] += json.dumps(arguments, ensure_ascii=False)


class Reader:
    """Takes in the bytes of an answer as they come.

    Args:
        api: Name of the kind of request.
        streamed: Does it come as server-sent events?
    """

    def __init__(self, api: str, *, streamed: bool) -> None:
        self.answer = Answer()
        self._take = _TAKE.get(api, _take_nothing)
        self._streamed = streamed
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take in some bytes."""
        self._rest += data
        if self._streamed:
            *lines, self._rest = self._rest.split(b"\n")
            for line in lines:
                self._line(line)

    def end(self) -> Answer:
        """The answer, when all of it has come."""
        if self._streamed:
            self._line(self._rest)
        else:
            self._event(self._rest)
            self.answer.complete = True
        self._rest = b""
        return self.answer

    def _line(self, line: bytes) -> None:
        field_name, _, value = line.strip().partition(b":")
        if field_name == b"data":
            if value.strip() == b"[DONE]":
                self.answer.complete = True
            else:
                self._event(value)

    def _event(self, data: bytes) -> None:
        try:
            found = json.loads(data)
        except _JSON:
            return
        for event in _dicts(found if isinstance(found, list) else [found]):
            self._take(event, self.answer)


def _take_nothing(event: Mapping[str, Any], answer: Answer) -> None:
    """Nothing of it is looked at."""


def _take_plain(event: Mapping[str, Any], answer: Answer) -> None:
    _account(answer, event.get("model"), event.get("usage"))


def _take_chat(event: Mapping[str, Any], answer: Answer) -> None:
    _account(answer, event.get("model"), event.get("usage"))
    for choice in _dicts(event.get("choices")):
        answer.complete = answer.complete or bool(choice.get("finish_reason"))
        said = choice.get("message") or choice.get("delta")
        said = said if isinstance(said, dict) else {}
        answer.text += _text(said.get("content"))
        for position, call in enumerate(_dicts(said.get("tool_calls"))):
            function = call.get("function")
            function = function if isinstance(function, dict) else {}
            key = (choice.get("index", 0), call.get("index", position))
            answer.add_tool(key, function.get("name"), function.get("arguments"))


def _take_responses(event: Mapping[str, Any], answer: Answer) -> None:
    kind = event.get("type")
    response = event.get("response") if isinstance(kind, str) else event
    ended = kind in ("response.completed", "response.incomplete", "response.failed")
    if not isinstance(response, dict) or not (ended or kind is None):
        return
    answer.complete = True
    _account(answer, response.get("model"), response.get("usage"))
    for number, item in enumerate(_dicts(response.get("output"))):
        if item.get("type") in ("function_call", "custom_tool_call"):
            answer.add_tool(number, item.get("name"), item.get("arguments") or item.get("input"))
        answer.text += "".join(_text(part.get("text")) for part in _dicts(item.get("content")))


def _take_messages(event: Mapping[str, Any], answer: Answer) -> None:
    kind = event.get("type")
    message = event.get("message") if kind == "message_start" else event
    if isinstance(message, dict):
        _account(answer, message.get("model"), message.get("usage"))
    if kind == "message_stop":
        answer.complete = True
    elif kind == "content_block_start":
        _take_block(event.get("index"), event.get("content_block"), answer)
    elif kind == "content_block_delta":
        delta = event.get("delta")
        if isinstance(delta, dict):
            answer.text += _text(delta.get("text"))
            if "partial_json" in delta:
                answer.add_tool(event.get("index"), "", delta["partial_json"])
    elif kind == "message":
        for number, block in enumerate(_dicts(event.get("content"))):
            _take_block(number, block, answer)


def _take_block(number: object, block: object, answer: Answer) -> None:
    if isinstance(block, dict):
        answer.text += _text(block.get("text"))
        if block.get("type") == "tool_use":
            answer.add_tool(number, block.get("name"), block.get("input"))


def _take_gemini(event: Mapping[str, Any], answer: Answer) -> None:
    if event.get("modelVersion"):
        answer.accounts["modelVersion"] = event["modelVersion"]
    if isinstance(event.get("usageMetadata"), dict):
        answer.accounts["usageMetadata"] = event["usageMetadata"]
    for candidate in _dicts(event.get("candidates")):
        answer.complete = answer.complete or bool(candidate.get("finishReason"))
        content = candidate.get("content")
        for part in _dicts(content.get("parts") if isinstance(content, dict) else None):
            answer.text += _text(part.get("text"))
            call = part.get("functionCall")
            if isinstance(call, dict):
                answer.add_tool(len(answer.tools), call.get("name"), call.get("args"))


def _account(answer: Answer, model: object, usage: object) -> None:
    """Keep what was used: later numbers of a stream replace earlier ones."""
    if isinstance(model, str) and model:
        answer.accounts["model"] = model
    if isinstance(usage, dict):
        known = answer.accounts.setdefault("usage", {})
        known.update({key: value for key, value in usage.items() if value is not None})


def _dicts(value: object) -> Iterator[dict[str, Any]]:
    return (item for item in (value if isinstance(value, list) else ()) if isinstance(item, dict))


def _text(value: object) -> str:
    if isinstance(value, list):  # of parts
        return "".join(_text(part.get("text")) for part in _dicts(value))
    return value if isinstance(value, str) else ""


_TAKE: Mapping[str, Callable[[Mapping[str, Any], Answer], None]] = {
    "openai chat": _take_chat,
    "openai responses": _take_responses,
    "openai embeddings": _take_plain,
    "anthropic messages": _take_messages,
    "gemini": _take_gemini,
}
