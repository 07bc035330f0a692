"""One call on its way to the provider and back: sent, tried again, streamed, read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, web

from pytest_autoexp.gateway.answers import Reader
from pytest_autoexp.gateway.ledger import SETTINGS, Call
from pytest_autoexp.gateway.providers import Upstream

MAX_TRIES = 5
"""How often a call is sent before its failure stands."""

MAX_PAUSE_SEC = 60.0
"""Longest pause between two of them, whatever the provider asks for."""

SILENCE_SEC = 600.0
"""How long nothing may come from the provider."""

_BUSY = frozenset({408, 409, 425, 429}) | frozenset(range(500, 600))
_PASSED_BACK = ("Content-Type", "Retry-After", "X-Request-Id", "Request-Id")


class ProviderError(Exception):
    """No answer came: the status that says so to the agent, and why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Request:
    """What is sent.

    Attributes:
        method: HTTP method.
        url: Where to.
        headers: With the key.
        body: Its bytes.
        upstream: Whose key must not come back.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    upstream: Upstream


async def forward(
    session: ClientSession, sent: Request, call: Call, asked: web.Request
) -> tuple[web.StreamResponse, str]:
    """Send a call until it is answered, and pass the answer on.

    Args:
        session: Connections to providers.
        sent: The call as it goes out.
        call: Where to note what happens.
        asked: The call as the agent sent it.

    Returns:
        The answer to the agent, and what failed on the provider's side, or nothing.

    Raises:
        ProviderError: If there is no answer.
    """
    response = await _send(session, sent, call)
    async with response:
        streamed = response.content_type == "text/event-stream"
        reader = Reader(call.api, streamed=streamed)
        call.answer = reader.answer
        headers = {
            name: response.headers[name] for name in _PASSED_BACK if name in response.headers
        }
        if streamed:
            reply, failure = await _stream(response, reader, headers, sent, asked)
        else:
            reply, failure = await _whole(response, reader, headers, sent)
        reader.end()
        if streamed and not failure and not call.answer.complete:
            failure = "the stream ended in the middle"
        if failure and asked.transport is not None:
            asked.transport.abort()  # so that the agent sees that something is missing
        if response.status >= 400:
            call.problem = f"status {response.status}: {_said(reply)}"
            if response.status in _BUSY | SETTINGS:
                failure = call.problem
    return reply, failure


async def _send(session: ClientSession, sent: Request, call: Call) -> ClientResponse:
    """Send it, again and again while the provider is busy."""
    silence = ClientTimeout(total=None, sock_connect=30, sock_read=SILENCE_SEC)
    while True:
        call.tries += 1
        pause_sec = 2.0 ** (call.tries - 1)
        try:
            response = await session.request(
                sent.method,
                sent.url,
                data=sent.body,
                headers=sent.headers,
                timeout=silence,
                allow_redirects=False,  # the key is for this address
            )
        except TimeoutError:
            raise ProviderError(504, f"nothing came for {SILENCE_SEC:g} s") from None
        except ClientError as error:
            if call.tries == MAX_TRIES:
                raise ProviderError(502, f"no connection: {error}") from None
        else:
            call.status = response.status
            if response.status not in _BUSY or call.tries == MAX_TRIES:
                return response
            pause_sec = _asked_pause(response, pause_sec)
            response.release()
        await asyncio.sleep(min(pause_sec, MAX_PAUSE_SEC))


def _asked_pause(response: ClientResponse, otherwise: float) -> float:
    try:
        return max(float(response.headers.get("Retry-After", "")), 0.0)
    except ValueError:
        return otherwise


async def _whole(
    response: ClientResponse, reader: Reader, headers: Mapping[str, str], sent: Request
) -> tuple[web.StreamResponse, str]:
    try:
        body = await response.read()
    except TimeoutError:
        raise ProviderError(504, f"nothing came for {SILENCE_SEC:g} s") from None
    except ClientError as error:
        raise ProviderError(502, f"the answer broke off: {error}") from None
    body = sent.upstream.blotted(body)
    reader.feed(body)
    return web.Response(status=response.status, body=body, headers=headers), ""


async def _stream(
    response: ClientResponse,
    reader: Reader,
    headers: Mapping[str, str],
    sent: Request,
    asked: web.Request,
) -> tuple[web.StreamResponse, str]:
    """Pass on what comes as it comes; an agent that went away keeps nothing from being read."""
    reply = web.StreamResponse(status=response.status, headers=headers)
    listens, failure = True, ""
    await reply.prepare(asked)
    try:
        async for data in response.content.iter_any():
            reader.feed(data)
            if listens:
                try:
                    await reply.write(sent.upstream.blotted(data))
                except ConnectionError:
                    listens = False
    except TimeoutError:
        failure = f"nothing came for {SILENCE_SEC:g} s in the middle of the stream"
    except ClientError as error:
        failure = f"the stream broke off: {error}"
    return reply, failure


def _said(reply: web.StreamResponse) -> str:
    """The beginning of an answer's body."""
    body = reply.body if isinstance(reply, web.Response) else b""
    return body[:500].decode("utf-8", "replace") if isinstance(body, bytes) else ""
