"""Gate: liquidations and long/short ratios of its USDT perpetuals, without a key.

One answer holds both, so the ratios are read from what was landed for the liquidations.
A stamp in seconds begins its UTC day.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.errors import NotYetAvailableError, PayloadError, SourceError
from pipeline.sources.base import Source, close_of, first_day, vendor_url
from pipeline.sources.payload import parse_json, shown
from pipeline.sources.shapes import as_list
from pipeline.sources.universe import perp_symbols
from pipeline.sources.venues import (
    DAY_SECONDS,
    amount_or_none,
    ask_for_each,
    daily_points,
    field_of,
    midnight,
    named_bodies,
    ratio_or_none,
    require_day,
    stamp_of,
)

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.sources.http import HttpClient, HttpResponse

VENUE = "gate"
DAYS_PER_CALL = 90
LIMIT = 100
_ENDPOINT = "stats"


class GateLiquidations(Source):
    """``contract_stats``: US dollars of long and of short positions liquidated in a UTC day."""

    name = "gate"
    vendor = "gate"
    dataset = "liquidation_daily"
    kind = "by_date"
    measures: ClassVar[Mapping[str, str]] = {
        "long_usd": "long_liq_usd",
        "short_usd": "short_liq_usd",
    }

    def fetch(
        self,
        client: HttpClient,
        settings: Settings,
        market_date: date,
        *,
        since: date | None = None,
    ) -> Iterator[tuple[str, HttpResponse]]:
        """Ask for every perpetual of the reviewed list. See ``Source.fetch``.

        Raises:
            NotYetAvailableError: The day is not over.
        """
        if settings.now() < close_of(market_date):
            raise NotYetAvailableError(f"{market_date} is not over; run again after midnight UTC")
        first = first_day(market_date, since)

        def ask(contract: str) -> Iterator[tuple[str, HttpResponse]]:
            start, part = first, 1
            while start <= market_date:
                days = min((market_date - start).days + 1, DAYS_PER_CALL)
                yield (
                    f"{_ENDPOINT}-{contract}" + (f"#{part}" if part > 1 else ""),
                    client.get(
                        vendor_url(settings, self.vendor, "api/v4/futures/usdt/contract_stats"),
                        params={
                            "contract": contract,
                            "interval": "1d",
                            "from": str(midnight(start, DAY_SECONDS)),
                            "limit": str(min(days + 1, LIMIT)),
                        },
                    ),
                )
                start, part = start + timedelta(days=days), part + 1

        yield from ask_for_each(perp_symbols(settings, VENUE, market_date), ask, who="Gate")

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Read the bodies of all contracts.

        Returns:
            One row per day and contract, from ``first`` to ``market_date``, units as in the
            class. A day with nothing but nulls has no row; the running day is dropped.

        Raises:
            SourceError: Gate's own error, as ``{"label", "message"}``.
            PayloadError: A body is not the documented list, or a figure is negative.
            NotYetAvailableError: No contract has the day yet.
        """
        points: dict[tuple[date, str], Mapping[str, float | None]] = {}
        for _, label, body in named_bodies(bodies, (_ENDPOINT,)):
            contract = label.partition("#")[0]
            for day, entry in _read_stats(body, contract).items():
                where = f"{contract} {day}"
                self.check_entry(entry, where)
                values = {
                    measure: self.read_measure(field_of(entry, field, where), f"{where} {field}")
                    for measure, field in self.measures.items()
                }
                # The running day of one answer is a whole day of the next.
                points[day, contract] = values
        rows: list[dict[str, object]] = [
            {
                "market_date": day,
                "source": self.name,
                "venue": VENUE,
                "perp_symbol": contract,
                **values,
            }
            for (day, contract), values in sorted(points.items())
            if first <= day <= market_date and any(v is not None for v in values.values())
        ]
        require_day(rows, market_date, (day for day, _ in points), f"Gate's {self.dataset}")
        return rows

    def points_of(self, bodies: Sequence[tuple[str, bytes]], day: date) -> Mapping[str, object]:
        """Return the whole entry of a day by contract. See ``Source.points_of``."""
        return {
            label: stats[day]
            for _, label, body in named_bodies(bodies, (_ENDPOINT,))
            if day in (stats := _read_stats(body, label.partition("#")[0]))
        }

    def check_entry(self, entry: Mapping[str, Any], where: str) -> None:
        """Check that no liquidation has a size or an amount, where these are told, but no dollars.

        Raises:
            PayloadError: One has.
        """
        for side in ("long", "short"):
            for other in (f"{side}_liq_size", f"{side}_liq_amount"):
                size = amount_or_none(entry.get(other), f"{where} {other}")
                dollars = field_of(entry, f"{side}_liq_usd", where)
                if size and amount_or_none(dollars, f"{where} {side}_liq_usd") == 0:
                    raise PayloadError(f"{where}: {side}_liq_usd is 0 but {other} is {size:g}")

    def read_measure(self, value: object, where: str) -> float | None:
        """Return an amount; a day without liquidations is 0 and not null."""
        return amount_or_none(value, where)


class GatePositioning(GateLiquidations):
    """``contract_stats``: ratios of accounts, of top accounts and positions, and of takers."""

    dataset = "positioning_daily"
    payloads_of = "liquidation_daily"
    measures: ClassVar[Mapping[str, str]] = {
        "long_short_account_ratio": "lsr_account",
        "top_account_ratio": "top_lsr_account",
        "top_position_ratio": "top_lsr_size",
        "taker_buy_sell_ratio": "lsr_taker",
    }

    def check_entry(self, entry: Mapping[str, Any], where: str) -> None:
        """Let every entry pass: what is wrong with its liquidations changes no ratio."""

    def read_measure(self, value: object, where: str) -> float | None:
        """Return a ratio; 0 says that nothing is known."""
        return ratio_or_none(value, where)


def _read_stats(body: bytes, contract: str) -> Mapping[date, Any]:
    content = parse_json(body)
    if isinstance(content, dict) and "label" in content:
        raise SourceError(
            f"{contract}: Gate says {shown(content['label'])}: {shown(content.get('message'))}"
        )
    entries = as_list(content, contract)
    for entry in entries:
        said = entry.get("contract", contract) if isinstance(entry, dict) else contract
        if said != contract:
            raise PayloadError(f"{contract}: an entry is of {shown(said)}; fetch again")
    return daily_points(
        ((stamp_of(field_of(entry, "time", contract), contract), entry) for entry in entries),
        DAY_SECONDS,
        contract,
    )
