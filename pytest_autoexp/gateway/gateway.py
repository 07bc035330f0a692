"""The gateway of one trial: a server on loopback, in a thread of its own."""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
import threading
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from aiohttp import ClientSession, web
from multidict import CIMultiDictProxy

from pytest_autoexp.gateway.forward import ProviderError, Request, forward
from pytest_autoexp.gateway.ledger import Call, Ledger
from pytest_autoexp.gateway.prices import Price, has_price, used
from pytest_autoexp.gateway.providers import (
    PROVIDERS,
    Api,
    Provider,
    Upstream,
    agent_variables,
    error_body,
)
from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.model.result import AgentResult
from pytest_autoexp.model.trial import GatewayAddress, Limits
from pytest_autoexp.sandbox.folder import PrivateFolder

MAX_REQUEST_BYTES = 64 * 1024**2
"""Largest request that is passed on."""

_READY_SEC = 30.0
_END_SEC = 1.0
_BY_PREFIX = {provider.id: provider for provider in PROVIDERS}
_KEY_HEADERS = ("Authorization", "x-api-key", "x-goog-api-key")
_PASSED_ON = ("accept", "content-type", "user-agent")
_PASSED_ON_PREFIXES = ("anthropic-", "openai-", "x-goog-api-client", "x-stainless-")


class Gateway:
    """Passes an agent's calls on to providers, counts them, and ends them at the limits.

    Use it as a context manager; :meth:`settle` says afterwards what it all means for the trial.

    Args:
        upstreams: Where the calls of each provider go, by its id.
        limits: Of the trial.
        prices: What the user set, by model.

    Attributes:
        address: Where it listens on the host.
        variables: What tells the agent of it.
        ledger: What the agent did.
    """

    def __init__(
        self, upstreams: Mapping[str, Upstream], limits: Limits, prices: Mapping[str, Price]
    ) -> None:
        self.variables: Mapping[str, str] = {}
        self.ledger = Ledger(limits)
        self._upstreams = upstreams
        self._prices = prices
        self._token = f"autoexp-{secrets.token_hex(16)}"
        self._ready = threading.Event()
        self._problem = ""
        self._folder = PrivateFolder()
        self.address = GatewayAddress(0, str(self._folder.path / "socket"))
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="autoexp-gateway", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(_READY_SEC) or not self.address.port:
            self.close()
            raise InfrastructureError(f"the model gateway does not start: {self._problem}")
        self.variables = agent_variables(self.address.port, self._token)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it; calls that are under way are broken off.  May be called more than once."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
        self._folder.remove()

    def settle(self, agent: AgentResult) -> AgentResult:
        """What an agent says of its work, with what is known better here.

        Args:
            agent: What it says.

        Returns:
            The same with the usage that was metered, and the limit that ended it, if one did.

        Raises:
            InfrastructureError: If the provider failed it.
        """
        waited = agent.exit_status == "limit: time" and self.ledger.waited_too_long()
        self.close()
        if waited:
            raise InfrastructureError(
                "the model's provider did not answer for more than half of the agent's time"
            )
        if self.ledger.failure:
            raise InfrastructureError(
                f"the model's provider failed the agent: {self.ledger.failure}"
            )
        status = f"limit: {self.ledger.limit}" if self.ledger.limit else agent.exit_status
        return replace(agent, exit_status=status, usage=self.ledger.usage())

    def trajectory(self) -> bytes:
        """JSON lines, one a call, without any key."""
        text = self.ledger.trajectory()
        for upstream in self._upstreams.values():
            text = upstream.blotted(text)
        return text

    # In the thread.

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except OSError as error:
            self._problem = str(error)
        finally:
            self._loop.close()
            self._ready.set()

    async def _serve(self) -> None:
        app = web.Application(client_max_size=MAX_REQUEST_BYTES)
        app.router.add_route("*", "/{prefix}{path:/.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_END_SEC)
        async with ClientSession(trust_env=True) as self._session:
            await runner.setup()
            try:
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                self.address = replace(self.address, port=runner.addresses[0][1])
                await web.UnixSite(runner, self.address.socket).start()
                self._ready.set()
                await self._stop.wait()
            finally:
                await runner.cleanup()

    async def _handle(self, asked: web.Request) -> web.StreamResponse:
        provider = _BY_PREFIX.get(asked.match_info["prefix"])
        if not self._is_ours(asked):
            return _refuse(provider, 401, "not the token of this trial's gateway")
        path = asked.match_info["path"]
        if provider is not None and path.startswith(provider.suffix):
            path = path.removeprefix(provider.suffix)
            if found := provider.find(asked.method, path):
                return await self._pass_on(asked, provider, path, *found)
        return _refuse(provider, 404, f"the gateway does not pass on {asked.method} {asked.path}")

    def _is_ours(self, asked: web.Request) -> bool:
        given = [asked.headers.get(name, "").removeprefix("Bearer ") for name in _KEY_HEADERS]
        given.append(asked.query.get("key", ""))
        words = [word.encode("utf-8", "surrogateescape") for word in given]
        return any(hmac.compare_digest(word, self._token.encode()) for word in words)

    async def _pass_on(
        self, asked: web.Request, provider: Provider, path: str, api: Api, model: str
    ) -> web.StreamResponse:
        """Check a call, send it, and note what became of it."""
        try:
            content = await asked.read()
            body = json.loads(content) if asked.method == "POST" else {}
        except (ValueError, RecursionError):
            return _refuse(provider, 400, "the body is no JSON")
        if not isinstance(body, dict):
            return _refuse(provider, 400, "the body is no JSON object")
        model = model or (body["model"] if isinstance(body.get("model"), str) else "")
        upstream = self._upstreams.get(provider.id)
        problem = self._setting_missing(provider, upstream, api, model)
        if problem or upstream is None:
            self.ledger.note_setting(problem)
            return _refuse(provider, 400, problem)
        sent = Request(
            asked.method,
            upstream.url + quote(path, safe="/:@~") + _query(asked),
            _headers(asked.headers, provider, upstream.key),
            _with_usage(api, body, content),
            upstream,
        )
        if api.flavor is None:
            return await self._send(sent, Call(0, api.name, model, {}, 0), asked, provider)
        if reason := self.ledger.refusal():
            return _refuse(provider, 403, reason)
        call = self.ledger.begin(api, model, body)
        try:
            return await self._send(sent, call, asked, provider)
        finally:
            call.used = used(
                call.answer.accounts, provider.id, upstream.url, api.flavor, model, self._prices
            )

    def _setting_missing(
        self, provider: Provider, upstream: Upstream | None, api: Api, model: str
    ) -> str:
        """What the user still has to say before a call can be sent."""
        if upstream is None:
            keys = " or ".join(provider.key_variables)
            return f"no key for {provider.title}: set {keys} in the environment of pytest"
        if api.flavor and not has_price(provider.id, upstream.url, model, self._prices):
            return (
                f"no price is known for model {model!r}, so that no limit of cost can hold: set"
                f" -o autoexp_prices={model or 'MODEL'}=IN/OUT (USD per million tokens)"
            )
        return ""

    async def _send(
        self, sent: Request, call: Call, asked: web.Request, provider: Provider
    ) -> web.StreamResponse:
        failure = "it was broken off"
        try:
            reply, failure = await forward(self._session, sent, call, asked)
        except ProviderError as error:
            failure = str(error)
            return _refuse(provider, error.status, failure)
        finally:
            if call.step and not (failure and self._stop.is_set()):
                self.ledger.end(call, failure)
        return reply


def _refuse(provider: Provider | None, status: int, message: str) -> web.Response:
    message = f"pytest-autoexp: {message}"
    return web.json_response(error_body(provider, status, message), status=status)


def _headers(given: CIMultiDictProxy[str], provider: Provider, key: str) -> dict[str, str]:
    """What of an agent's headers goes out, and the key."""
    headers = {
        name: value
        for name, value in given.items()
        if name.lower() in _PASSED_ON or name.lower().startswith(_PASSED_ON_PREFIXES)
    }
    return headers | {provider.key_header: provider.key_form.format(key=key)}


def _query(asked: web.Request) -> str:
    """The query of a request, without the token."""
    rest = asked.rel_url.without_query_params("key")
    return f"?{rest.raw_query_string}" if rest.raw_query_string else ""


def _with_usage(api: Api, body: dict[str, Any], content: bytes) -> bytes:
    """The body; a stream of chat completions is asked to say at its end what was used."""
    if api.flavor != "chat" or not body.get("stream"):
        return content
    options = body.get("stream_options")
    options = options if isinstance(options, dict) else {}
    changed = {**body, "stream_options": {**options, "include_usage": True}}
    return json.dumps(changed).encode()
