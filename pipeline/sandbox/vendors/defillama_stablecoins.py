"""DefiLlama's supply of stablecoins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.sandbox.endpoints import Endpoint, Shape
from pipeline.sandbox.messages import Request, Response, World, answer_json
from pipeline.sandbox.vendors.defillama import render_error


def _point(stamp: int, supply_usd: float) -> dict[str, Any]:
    # Written as text, against the vendor's own documentation.
    return {
        "date": str(stamp),
        "totalCirculating": {"peggedUSD": supply_usd, "peggedEUR": 4.0e8},
        "totalUnreleased": {"peggedUSD": 0},
        "totalCirculatingUSD": {"peggedUSD": supply_usd, "peggedEUR": 4.4e8},
        "totalMintedUSD": {"peggedUSD": 0},
    }


def answer_chart(world: World, _: Request, __: Mapping[str, str]) -> Response:
    """Answer ``/stablecoincharts/all``: a day carries its own 00:00; the last point is running."""
    supply = world.market.aggregates.stablecoin_supply_usd[: world.last_index + 1].tolist()
    points = [_point(world.midnight(index), value) for index, value in enumerate(supply)]
    midnight = world.midnight(world.last_index + 1)
    running = max(int(world.now.timestamp()) - 300, midnight + 1)
    return answer_json([*points, _point(running, supply[-1])])


ENDPOINTS = (
    Endpoint(
        "defillama_stablecoins",
        "stablecoincharts",
        r"/stablecoincharts/all",
        answer_chart,
        Shape(
            figures=(("totalCirculatingUSD", "peggedUSD"), ("totalCirculating", "peggedUSD")),
            stamps=((("date",), "s"),),
        ),
        render_error,
        "/stablecoincharts/all",
    ),
)
