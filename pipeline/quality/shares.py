"""How many rows of a frame may go to quarantine before none of it is trusted, per dataset."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.quality.rules import Mode


@dataclass(frozen=True)
class Share:
    """The largest share of rows (0-1) that may be kept out, and why it is that.

    ``live`` is for a night's fetch, ``history`` for an import or a long backfill.
    """

    live: float
    history: float
    reason: str


_MANY_SERIES = "hundreds of perpetuals, of which the small ones have odd days; one venue's share"

MAX_SHARES: dict[str, Share] = {
    "market_daily": Share(
        0.05,
        0.20,
        "a review ranks 200 coins and lives with ten of them missing; exports of past years "
        "hold dead coins without a price",
    ),
    "equity_daily": Share(
        0.05,
        0.05,
        "an exchange's own closes; a bad one is our misreading, and ten years of them have none",
    ),
    "positioning_daily": Share(0.05, 0.20, _MANY_SERIES),
    "open_interest_daily": Share(0.05, 0.20, _MANY_SERIES),
    "funding_daily": Share(0.05, 0.20, _MANY_SERIES),
    "perp_daily": Share(0.05, 0.20, _MANY_SERIES),
    "perp_listing_daily": Share(
        0.10,
        0.20,
        "forty venues of very different care, listed by one vendor as they say it",
    ),
    "liquidation_daily": Share(0.05, 0.20, _MANY_SERIES),
    "exchange_balance_daily": Share(
        0.10,
        0.20,
        "thousands of tokens, most of them worth nothing; the sums rest on a few dozen",
    ),
    "exchange_flow_daily": Share(
        0.05,
        0.20,
        "about a hundred exchanges, of which the ten largest make the signal",
    ),
    "onchain_daily": Share(
        0.05,
        0.05,
        "a few metrics of a few large coins; one that is wrong is seen in the signal",
    ),
    "sentiment_daily": Share(
        0.05,
        0.20,
        "one row a day: of a night's few none may be bad, of years of them a bad month may",
    ),
    "global_daily": Share(
        0.05,
        0.20,
        "one row a night, so a night with a bad one has nothing left",
    ),
    "stablecoin_daily": Share(
        0.05,
        0.05,
        "one row a day of one series; of a night's few none may be bad",
    ),
}
"""The declared share of every dataset."""


def max_share(dataset: str, mode: Mode) -> float:
    """Return the largest share of rows (0-1) of a dataset that may go to quarantine."""
    share = MAX_SHARES[dataset]
    return share.live if mode == "live" else share.history
