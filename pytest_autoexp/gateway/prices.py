"""What a call used and what it costs."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_autoexp.model.errors import UsageError

if TYPE_CHECKING:
    import genai_prices

_PRICE = re.compile(r"(?P<model>[^=\s]+)=(?P<in>[0-9.]+)/(?P<out>[0-9.]+)")
_PER = 1_000_000
_BYTES_PER_TOKEN = 3


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
        estimated: True if the answer does not say, and this is what its size tells.
    """

    tokens_in: int
    tokens_out: int
    cost_usd: float
    estimated: bool = False


@dataclass(frozen=True)
class Seller:
    """Whose prices count.

    Attributes:
        provider: Id of the protocol's own provider.
        url: Where calls go: the address of another one may be known.
        prices: Those that the user set, by model.
    """

    provider: str
    url: str
    prices: Mapping[str, Price]


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


def estimate(seller: Seller, model: str, sent_bytes: int, received_bytes: int) -> Used | None:
    """What a call costs by its size: never too little, by much.

    Returns:
        None if no price is known.
    """
    import genai_prices

    tokens_in, tokens_out = sent_bytes // _BYTES_PER_TOKEN, received_bytes // _BYTES_PER_TOKEN
    usage = genai_prices.Usage(input_tokens=tokens_in, output_tokens=tokens_out)
    cost_usd = _cost(usage, model, seller)
    return None if cost_usd is None else Used(tokens_in, tokens_out, cost_usd, estimated=True)


def used(accounts: Mapping[str, Any], seller: Seller, flavor: str, model: str) -> Used | None:
    """What an answer says was used, and what that costs.

    Args:
        accounts: The part of the answer that says so.
        seller: Whose prices count.
        flavor: Form of the answer.
        model: What was asked for; the answer may name another: the dearer one counts.

    Returns:
        None if the answer does not say.
    """
    from genai_prices.data_snapshot import get_snapshot

    try:
        reads = get_snapshot().find_provider(None, seller.provider, None)
        _, usage = reads.extract_usage(accounts, api_flavor=flavor)
        tokens_in, tokens_out = int(usage.input_tokens or 0), int(usage.output_tokens or 0)
    except (LookupError, ValueError, TypeError):
        return None
    names = {model, accounts.get("model"), accounts.get("modelVersion")}
    costs = [_cost(usage, name, seller) for name in names if isinstance(name, str)]
    if model in seller.prices:
        costs = [_cost(usage, model, seller)]
    known = [cost for cost in costs if cost is not None]
    return Used(tokens_in, tokens_out, max(known)) if known and tokens_in + tokens_out else None


def _cost(usage: genai_prices.Usage, model: str, seller: Seller) -> float | None:
    """What usage of a model costs, in USD; None if that is not known."""
    import genai_prices
    from genai_prices.data_snapshot import get_snapshot

    if price := seller.prices.get(model):
        amounts = (usage.input_tokens or 0, usage.output_tokens or 0)
        return float(amounts[0]) * price.usd_in / _PER + float(amounts[1]) * price.usd_out / _PER
    provider = seller.provider
    with suppress(LookupError):
        provider = get_snapshot().find_provider(None, None, seller.url).id
    try:
        found = genai_prices.calc_price(usage, model, provider_id=provider)
    except (LookupError, ValueError):
        return None
    return float(found.total_price)
