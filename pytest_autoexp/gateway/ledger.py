"""What a trial's agent asked of models, what it spent, and when it has spent enough."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pytest_autoexp.gateway.answers import Answer
from pytest_autoexp.gateway.prices import Used
from pytest_autoexp.gateway.providers import Api
from pytest_autoexp.model.result import Usage
from pytest_autoexp.model.trial import Limits

SETTINGS = frozenset({401, 402, 403, 404})
"""Statuses of a wrong key, account or model."""

_LONG_WAIT = 0.5  # of an agent's time: who waited so long for one answer was kept from working


@dataclass
class Call:
    """One request of an agent, and what became of it.

    Attributes:
        step: Its number, from 1.
        api: What kind of request.
        model: Which model.
        request: What of its body is new.
        repeated: How many messages at its beginning are those of the call before.
        began: When, on the clock of :func:`time.monotonic`.
        time: When, in UTC.
        status: The last HTTP status of the provider; None if there was none.
        tries: How often it was sent.
        seconds: How long it took; None while it is under way.
        answer: What came.
        used: What it cost; None if that is not known.
        problem: What went wrong.
    """

    step: int
    api: str
    model: str
    request: Mapping[str, Any]
    repeated: int
    began: float = field(default_factory=time.monotonic)
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    status: int | None = None
    tries: int = 0
    seconds: float | None = None
    answer: Answer = field(default_factory=Answer)
    used: Used | None = None
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        """A line of the trajectory."""
        return {
            "time": self.time.isoformat(timespec="milliseconds"),
            "step": self.step,
            "kind": "model",
            "api": self.api,
            "model": self.model,
            "repeated": self.repeated,
            "request": self.request,
            "content": self.answer.text,
            "tool_calls": self.answer.tool_calls,
            "status": self.status,
            "tries": self.tries,
            "seconds": None if self.seconds is None else round(self.seconds, 3),
            "tokens_in": self.used.tokens_in if self.used else None,
            "tokens_out": self.used.tokens_out if self.used else None,
            "cost_usd": self.used.cost_usd if self.used else None,
            "problem": self.problem,
        }


class Ledger:
    """The calls of one trial.  Used from the gateway's thread, and after its end.

    Args:
        limits: Where the agent is stopped.

    Attributes:
        calls: In the order in which they came.
        limit: The limit that a call was refused for, ``"cost"`` or ``"steps"``; or empty.
        failure: What on the provider's or the user's side kept the last call from success.
    """

    def __init__(self, limits: Limits) -> None:
        self.calls: list[Call] = []
        self.limit = ""
        self.failure = ""
        self._limits = limits
        self._answered = False
        self._bodies: dict[str, Mapping[str, Any]] = {}

    def refusal(self) -> str:
        """Why there is no further call, in words for the agent; empty if there may be one."""
        spent, limits = self.usage(), self._limits
        if (spent.cost_usd or 0.0) >= limits.cost_usd:
            self.limit = "cost"
            return f"the limit of {limits.cost_usd:g} USD for this trial is reached"
        if len(self.calls) >= limits.steps:
            self.limit = "steps"
            return f"the limit of {limits.steps} model calls for this trial is reached"
        return ""

    def begin(self, api: Api, model: str, body: Mapping[str, Any]) -> Call:
        """Note that a call begins."""
        before = self._bodies.get(api.name, {})
        self._bodies[api.name] = body
        new, old = body.get(api.history), before.get(api.history)
        repeated = _common(new, old) if isinstance(new, list) and isinstance(old, list) else 0
        request = {key: value for key, value in body.items() if before.get(key) != value}
        if repeated:
            request[api.history] = body[api.history][repeated:]
        call = Call(len(self.calls) + 1, api.name, model, request, repeated)
        self.calls.append(call)
        return call

    def end(self, call: Call, failure: str) -> None:
        """Note that a call has ended.

        Args:
            call: The call.
            failure: What on the provider's or the user's side went wrong, or nothing.
        """
        call.seconds = time.monotonic() - call.began
        call.problem = call.problem or failure
        if failure and call.status in SETTINGS:
            self.note_setting(failure)
        else:
            self.failure = failure
            self._answered = self._answered or not failure

    def note_setting(self, problem: str) -> None:
        """Note what the user has to set, unless calls went well before.

        An agent that got answers and then asks for a model that is not there has done so itself.
        """
        if not self._answered:
            self.failure = problem

    def usage(self) -> Usage:
        """The sum of all calls so far."""
        used = [call.used for call in self.calls if call.used]
        return Usage(
            steps=len(self.calls),
            tokens_in=sum(u.tokens_in for u in used),
            tokens_out=sum(u.tokens_out for u in used),
            cost_usd=sum(u.cost_usd for u in used),
        )

    def waited_too_long(self) -> bool:
        """Did an answer that never ended take more than half of the agent's time?"""
        waiting = (time.monotonic() - call.began for call in self.calls if call.seconds is None)
        return max(waiting, default=0.0) > _LONG_WAIT * self._limits.time_sec

    def trajectory(self) -> bytes:
        """JSON lines, one a call."""
        lines = (json.dumps(call.to_json(), ensure_ascii=False) for call in self.calls)
        return "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")


def _common(new: list[Any], old: list[Any]) -> int:
    """How many items at the beginning are the same."""
    pairs = zip(new, old, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
