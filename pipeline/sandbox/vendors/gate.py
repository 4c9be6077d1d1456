"""Gate: daily statistics of its contracts, liquidations among them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pipeline.sandbox.derivatives import VENUE_LOG_OFFSET
from pipeline.sandbox.endpoints import Endpoint, Shape
from pipeline.sandbox.messages import (
    JSON_TYPE,
    Request,
    Response,
    World,
    answer_json,
    as_count,
    as_seconds,
    render_json,
)

_MOST_ROWS = 100
_OFFSET = math.exp(VENUE_LOG_OFFSET["gate"])
# Gate's share of what there is at Binance.
_SHARE = 0.1


def render_error(status: int) -> tuple[str, bytes]:
    """Render the error body of a status."""
    label = {429: "TOO_MANY_REQUESTS", 403: "FORBIDDEN", 404: "NOT_FOUND"}.get(
        status, "SERVER_ERROR"
    )
    return JSON_TYPE, render_json({"label": label, "message": "The sandbox was asked to fail."})


def gate_contracts(world: World) -> dict[str, int]:
    """Return the perpetual's column by contract; sizes have no multiplier in their names."""
    return {
        f"{perp.coin_symbol}_USDT": column
        for column, perp in enumerate(world.market.derivatives.perps)
        if perp.quote_asset == "USDT" and perp.is_listed(world.last_index)
    }


def _bad(label: str, message: str) -> Response:
    return answer_json({"label": label, "message": message}, 400)


def _statistics(world: World, column: int, index: int) -> dict[str, Any]:
    """Return a day's row; the running one stands at yesterday's ratios, without liquidations."""
    figures, known = world.market.derivatives, min(index, world.last_index)
    is_running = index > world.last_index
    long_usd, short_usd = (
        0.0 if is_running else round(float(values[known, column]) * _SHARE, 2)
        for values in (figures.long_liquidation_usd, figures.short_liquidation_usd)
    )
    price = float(figures.close_usd[known, column])
    interest = float(figures.open_interest_usd[known, column]) * _SHARE
    ratio = float(figures.long_short_account_ratio[known, column])
    return {
        "time": world.midnight(index),
        "lsr_taker": float(figures.taker_buy_sell_ratio[known, column]),
        "lsr_account": round(ratio * _OFFSET, 4),
        "long_liq_size": int(long_usd / price),
        "long_liq_amount": round(long_usd / price, 4),
        "long_liq_usd": long_usd,
        "short_liq_size": int(short_usd / price),
        "short_liq_amount": round(short_usd / price, 4),
        "short_liq_usd": short_usd,
        "open_interest": int(interest / price),
        "open_interest_usd": round(interest, 2),
        "top_lsr_account": float(figures.top_account_ratio[known, column]),
        "top_lsr_size": float(figures.top_position_ratio[known, column]),
        "mark_price": price,
    }


def answer_statistics(world: World, request: Request, _: Mapping[str, str]) -> Response:
    """Answer ``contract_stats`` of interval 1d, oldest first, the running day included."""
    contract = request.parameters.get("contract")
    if not contract:
        return _bad("MISSING_REQUIRED_PARAM", "Missing required parameter: contract")
    column = gate_contracts(world).get(contract)
    if column is None:
        return _bad("CONTRACT_NOT_FOUND", "contract not found")
    if request.parameters.get("interval") != "1d":
        return _bad("INVALID_PARAM_VALUE", "invalid interval")
    limit = as_count(request.parameters.get("limit"), 30, _MOST_ROWS)
    start = as_seconds(request.parameters.get("from"), -1.0)
    if not limit or start is None:
        return _bad("INVALID_PARAM_VALUE", "invalid limit or from")
    first = world.market.derivatives.perps[column].onboard_index
    indices = [i for i in range(first, world.last_index + 2) if start <= world.midnight(i)]
    wanted = indices[:limit] if start >= 0 else indices[-limit:]
    return answer_json([_statistics(world, column, index) for index in wanted])


ENDPOINTS = (
    Endpoint(
        "gate",
        "contract_stats",
        r"/api/v4/futures/usdt/contract_stats",
        answer_statistics,
        Shape(
            figures=(("long_liq_usd",), ("lsr_account",), ("open_interest_usd",)),
            stamps=((("time",), "s"),),
        ),
        render_error,
        "/api/v4/futures/usdt/contract_stats?contract=BTC_USDT&interval=1d&limit=30",
    ),
)
