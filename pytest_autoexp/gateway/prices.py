"""What a call used and what it costs."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pytest_autoexp.model.errors import UsageError

_PRICE = re.compile(r"(?P<model>[^=\s]+)=(?P<in>[0-9.]+)/(?P<out>[0-9.]+)")
_PER = 1_000_000


@dataclass(frozen=True)
class Price:
    """A model's price that the user set.

    Attributes:
        usd_in: USD per million tokens sent.
        usd_out: USD per million tokens received.
    """

    usd_in: float
    usd_out: float


@dataclass(frozen=True)
class Used:
    """What one call used.

    Attributes:
        tokens_in: Tokens sent, cached ones included.
        tokens_out: Tokens received, those of reasoning included.
        cost_usd: What they cost.
    """

    tokens_in: int
    tokens_out: int
    cost_usd: float


def read_prices(text: str) -> dict[str, Price]:
    """Read ini ``autoexp_prices``: ``MODEL=IN/OUT``, in USD per million tokens, behind each other.

    Raises:
        UsageError: If it cannot be used; says what is allowed.
    """
    prices = {}
    for word in text.replace(",", " ").split():
        match = _PRICE.fullmatch(word)
        try:
            amounts = (float(match["in"]), float(match["out"])) if match else (math.nan, math.nan)
        except ValueError:
            amounts = (math.nan, math.nan)
        if match is None or math.isnan(sum(amounts)):
            raise UsageError(
                f"ini autoexp_prices: found {word}; allowed: MODEL=IN/OUT in USD per million"
                " tokens, such as my-model=0.5/2"
            )
        prices[match["model"]] = Price(*amounts)
    return prices


def has_price(provider: str, url: str, model: str, prices: Mapping[str, Price]) -> bool:
    """Is it known what a model costs?

    Args:
        provider: Id of the protocol's own provider.
        url: Where calls go: the address of another one may be known.
        model: The model.
        prices: Those that the user set.
    """
    import genai_prices

    return model in prices or _cost(genai_prices.Usage(), model, provider, url) is not None


def used(
    accounts: Mapping[str, Any],
    provider: str,
    url: str,
    flavor: str,
    model: str,
    prices: Mapping[str, Price],
) -> Used | None:
    """What an answer says was used, and what that costs.

    Args:
        accounts: The part of the answer that says so.
        provider: Id of the protocol's own provider.
        url: Where the call went.
        flavor: Form of the answer.
        model: What was asked for; an answer may name a more exact version.
        prices: Those that the user set.

    Returns:
        None if the answer does not say.
    """
    from genai_prices.data_snapshot import get_snapshot

    try:
        reads = get_snapshot().find_provider(None, provider, None)
        _, usage = reads.extract_usage(accounts, api_flavor=flavor)
    except (LookupError, ValueError, TypeError):
        return None
    tokens_in, tokens_out = int(usage.input_tokens or 0), int(usage.output_tokens or 0)
    if set_price := prices.get(model):
        cost = (tokens_in * set_price.usd_in + tokens_out * set_price.usd_out) / _PER
        return Used(tokens_in, tokens_out, cost)
    for name in (model, accounts.get("model"), accounts.get("modelVersion")):
        cost_usd = _cost(usage, name, provider, url) if isinstance(name, str) else None
        if cost_usd is not None:
            return Used(tokens_in, tokens_out, cost_usd)
    return None


def _cost(usage: object, model: str, provider: str, url: str) -> float | None:
    """What usage of a model costs, in USD; None if that is not known."""
    import genai_prices
    from genai_prices.data_snapshot import get_snapshot

    with suppress(LookupError):  # whose prices count tells the address, if it is known
        provider = get_snapshot().find_provider(None, None, url).id
    try:
        price = genai_prices.calc_price(usage, model, provider_id=provider)
    except (LookupError, ValueError):
        return None
    return float(price.total_price)
