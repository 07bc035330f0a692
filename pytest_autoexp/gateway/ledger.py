"""What a trial's agent asked of models, what it spent, and when it has spent enough."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pytest_autoexp.gateway.answers import Answer
from pytest_autoexp.gateway.prices import Seller, Used, estimate, used
from pytest_autoexp.gateway.providers import Api
from pytest_autoexp.gateway.requests import Body
from pytest_autoexp.model.result import Usage
from pytest_autoexp.model.trial import Limits
from pytest_autoexp.progress import Progress
from pytest_autoexp.trajectory import Trajectory, new_line

GIVE_UP_SEC = 300.0
"""Who waited so long for a provider may give up: it is not to blame."""

_LONG_WAIT = 0.5  # of an agent's time: who waited so long for one answer was kept from working
_JUST_NOW_SEC = 10.0  # an agent that the time limit ended has hung up by then
_MAX_KEPT_BYTES = 1024**2
_USUAL_ANSWER_BYTES = 3000


@dataclass
class Call:
    """One request of an agent, and what became of it.

    Attributes:
        step: Its number, from 1; 0 for one that costs nothing.
        api: What kind of request.
        model: Which model.
        seller: Whose prices count.
        body: As it went out.
        request: What of its body is new, as JSON.
        repeated: How many messages at its beginning are those of the call before.
        began: When, on the clock of :func:`time.monotonic`.
        time: When, in UTC.
        status: The last HTTP status of the provider; None if there was none.
        is_setting: Is the answer about what the user has to set: key, account, model, address?
        tries: How often it was sent.
        waits_since: Since when it waits for the provider; None while it does not.
        left_at: When the agent hung up; None if it did not.
        left_after_sec: How long it had then waited for the provider without a byte.
        seconds: How long it took; None while it is under way.
        answer: What came.
        used: What it cost; None if that is not known.
        problem: What went wrong.
    """

    step: int
    api: Api
    model: str
    seller: Seller
    body: Body
    request: str = "{}"
    repeated: int = 0
    began: float = field(default_factory=time.monotonic)
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    status: int | None = None
    is_setting: bool = False
    tries: int = 0
    waits_since: float | None = None
    left_at: float | None = None
    left_after_sec: float = 0.0
    seconds: float | None = None
    answer: Answer = field(default_factory=Answer)
    used: Used | None = None
    problem: str = ""

    def settle(self) -> None:
        """Find out what was used; where the answer does not say, by its size."""
        flavor = self.api.flavor or ""
        self.used = used(self.answer.accounts, self.seller, flavor, self.model)
        sent = self.tries > 0 and (self.status is None or self.status < 400)
        if self.used is None and sent:
            sizes = (len(self.body.content), self.answer.size_bytes)
            self.used = estimate(self.seller, self.model, *sizes)

    def line(self) -> str:
        """A line of the trajectory."""
        tokens = self.used
        entry = new_line("model", self.step, self.answer.text, self.time) | {
            "tokens_in": tokens.tokens_in if tokens else None,
            "tokens_out": tokens.tokens_out if tokens else None,
            "cost_usd": tokens.cost_usd if tokens else None,
            "api": self.api.name,
            "model": self.model,
            "tool_calls": self.answer.tool_calls,
            "status": self.status,
            "tries": self.tries,
            "seconds": None if self.seconds is None else round(self.seconds, 3),
            "estimated": bool(tokens and tokens.estimated),
            "dropped": self.body.dropped,
            "problem": self.problem,
            "repeated": self.repeated,
        }
        return f'{json.dumps(entry)[:-1]}, "request": {self.request}}}\n'


class Ledger:
    """The calls of one trial.  Used from the gateway's thread, and after its end.

    Args:
        limits: Where the agent is stopped.
        trajectory: Is told of each call; None for none.
        progress: Is told how many there were and what they cost; None for none.

    Attributes:
        calls: In the order in which they came.
        limit: The limit that a call was refused for, ``"cost"`` or ``"steps"``; or empty.
        failure: What on the provider's or the user's side kept the agent from an answer since
            the last success.
    """

    def __init__(
        self,
        limits: Limits,
        trajectory: Trajectory | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.calls: list[Call] = []
        self.limit = ""
        self.failure = ""
        self._failed_step = 0
        self._limits = limits
        self._trajectory = trajectory or Trajectory()
        self._progress = progress or Progress()
        self._closed = False
        self._answered = False
        self._before: dict[str, dict[str, list[bytes]]] = {}

    def refusal(self) -> str:
        """Why there is no further call, in words for the agent; empty if there may be one."""
        spent, limits = self.usage().cost_usd or 0.0, self._limits
        if spent + self._reserved_usd() >= limits.cost_usd > 0:
            self.limit = "cost"
            return f"the limit of {limits.cost_usd:g} USD for this trial is reached"
        if len(self.calls) >= limits.steps:
            self.limit = "steps"
            return f"the limit of {limits.steps} model calls for this trial is reached"
        return ""

    def begin(self, api: Api, model: str, seller: Seller, body: Body) -> Call:
        """Note that a call begins."""
        request, repeated = self._new_part(api, body.data)
        call = Call(len(self.calls) + 1, api, model, seller, body, request, repeated)
        self.calls.append(call)
        self._trajectory.step = call.step
        self._tell()
        return call

    def end(self, call: Call, failure: str) -> None:
        """Note that a call has ended.

        Args:
            call: The call.
            failure: What on the provider's or the user's side went wrong, or nothing.
        """
        call.seconds = time.monotonic() - call.began
        call.waits_since = None
        call.problem = call.problem or failure
        call.settle()
        self._trajectory.add(call.line(), call.began)
        self._tell()
        if failure and call.is_setting:
            self.note_setting(failure, call.step)
        elif failure:
            self.failure, self._failed_step = failure, call.step
        elif call.status is not None and call.status < 400:
            self._answered = True
            if call.step > self._failed_step:
                self.failure = ""

    def note_setting(self, problem: str, step: int = 0) -> None:
        """Note what the user has to set, unless calls went well before.

        An agent that got answers and then asks for a model that is not there has done so itself.
        """
        if not self._answered:
            self.failure, self._failed_step = problem, step

    def usage(self) -> Usage:
        """The sum of all calls so far."""
        known = [call.used for call in self.calls if call.used]
        return Usage(
            steps=len(self.calls),
            tokens_in=sum(u.tokens_in for u in known),
            tokens_out=sum(u.tokens_out for u in known),
            cost_usd=sum(u.cost_usd for u in known),
        )

    def close(self) -> None:
        """Note that calls which are under way come to no end any more.

        May be called more than once.
        """
        under_way = [call for call in self.calls if call.seconds is None and not self._closed]
        self._closed = True
        for call in under_way:
            call.problem = "still under way when the agent had ended"
            call.settle()
            self._trajectory.add(call.line(), call.began)

    def unanswered(self, *, out_of_time: bool) -> str:
        """Why the provider, and not the agent, is to blame for how it ended; or nothing.

        Args:
            out_of_time: Was it the time limit that ended the agent?
        """
        now = time.monotonic()
        for call in self.calls:
            left = call.left_at is not None and now - call.left_at > _JUST_NOW_SEC
            waits = call.waits_since is not None and not left
            if out_of_time and waits:
                waited_sec = now - (call.waits_since or now)
                if waited_sec > _LONG_WAIT * self._limits.time_sec:
                    return "it did not answer for more than half of the agent's time"
        last = self.calls[-1] if self.calls else None
        if last and last.left_after_sec > GIVE_UP_SEC:
            return f"it had not answered for {last.left_after_sec:.0f} s when the agent gave up"
        return ""

    def _tell(self) -> None:
        """Tell how far the agent is."""
        spent, limits = self.usage().cost_usd or 0.0, self._limits
        self._progress.detail(
            f"step {len(self.calls)} of {limits.steps},"
            f" {_usd(spent)} of {_usd(limits.cost_usd)} USD"
        )

    def _reserved_usd(self) -> float:
        """What the calls that are under way will cost at least."""
        reserved = 0.0
        for call in self.calls:
            if call.seconds is None:
                size = len(call.body.content)
                guess = estimate(call.seller, call.model, size, _USUAL_ANSWER_BYTES)
                reserved += guess.cost_usd if guess else 0.0
        return reserved

    def _new_part(self, api: Api, body: Mapping[str, Any]) -> tuple[str, int]:
        """What of a body the call before of the same kind had not, and how many messages it had."""
        history = api.history if isinstance(body.get(api.history), list) else None
        parts = {
            key: [json.dumps(item) for item in value] if key == history else [json.dumps(value)]
            for key, value in body.items()
        }
        digests = {key: [_digest(item) for item in items] for key, items in parts.items()}
        before = self._before.get(api.name, {})
        self._before[api.name] = digests
        repeated = _common(digests[history], before.get(history, [])) if history else 0
        new = []
        for key, items in parts.items():
            if key == history:
                new.append(f"{json.dumps(key)}: [{', '.join(items[repeated:])}]")
            elif digests[key] != before.get(key):
                new.append(f"{json.dumps(key)}: {items[0]}")
        text = "{" + ", ".join(new) + "}"
        if len(text) > _MAX_KEPT_BYTES:
            text = json.dumps({"size_bytes": len(text)})
        return text, repeated


def _usd(amount: float) -> str:
    """An amount with its cents, or with two digits if it is less."""
    return f"{amount:.2f}" if amount >= 0.01 or amount == 0 else f"{amount:.2g}"


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _common(new: list[bytes], old: list[bytes]) -> int:
    """How many items at the beginning are the same."""
    count = 0
    for one, other in zip(new, old, strict=False):
        if one != other:
            break
        count += 1
    return count
