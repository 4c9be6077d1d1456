"""CoinMetrics' archive on GitHub: one CSV of daily values per asset, dead ones included.

``PriceUSD`` of D is the price at 24:00 of D; ``ReferenceRateUSD`` of D is the price at 00:00
of D, so the close of D stands in the line of D + 1. Columns come and go: they are found by
name.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from pipeline.errors import NotYetAvailableError, PayloadError, SourceError, UnobtainableError
from pipeline.sources.base import Source, vendor_url
from pipeline.sources.coinmetrics import METRICS, assets_asked
from pipeline.sources.payload import shown
from pipeline.sources.shapes import csv_lines, decimal_amount

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.sources.http import HttpClient, HttpResponse

logger = logging.getLogger(__name__)

FLOW_ASSETS = ("btc", "eth")
_PRICE, _RATE = "PriceUSD", "ReferenceRateUSD"
# Two definitions of a cap; an asset keeps to the first that it has.
_CAPS = ("CapMrktEstUSD", "CapMrktCurUSD")
_VOLUME = "volume_reported_spot_usd_1d"
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ASSET = re.compile(r"[a-z0-9._-]+")
_NOT_FOUND = 404

_Series = dict[date, dict[str, float]]


class CoinMetricsArchive(Source):
    """``csv/<asset>.csv``: closes, caps and volumes since each asset began.

    ``coin_id`` is the vendor's ticker; ``reference.coin_xref`` maps it.
    """

    name = "coinmetrics"
    vendor = "coinmetrics_archive"
    dataset = "market_daily"
    kind = "by_date"
    sends_all_since = True
    earliest_date = date(2010, 7, 18)
    available_hours = 24.0

    def fetch(
        self,
        client: HttpClient,
        settings: Settings,
        market_date: date,
        *,
        since: date | None = None,
    ) -> Iterator[tuple[str, HttpResponse]]:
        """Ask for every reviewed asset's file; each holds its whole history.

        See ``Source.fetch``. An asset whose file is gone is left out and logged.
        """
        yield from _fetch_files(client, settings, self.vendor, assets_asked(settings))

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Read the files.

        Returns:
            One row per asset and day that has a close, in US dollars; an empty or zero cap is
            null, the supply is always null (the chain's is not the circulating one). Of the
            two definitions of a cap an asset has one throughout.

        Raises:
            PayloadError: Not the documented shape, no column of a price, a number below zero,
                or a day twice.
            NotYetAvailableError: No asset has a close of the day, or of a later one.
            UnobtainableError: No asset has a close of the day though some have later ones.
        """
        rows: list[dict[str, object]] = []
        days: set[date] = set()
        for asset, body in _files(bodies):
            series = _read_file(body, asset, (_PRICE, _RATE, *_CAPS, _VOLUME), (_PRICE, _RATE))
            has_first_cap = any(values.get(_CAPS[0]) for values in series.values())
            cap_column = _CAPS[0] if has_first_cap else _CAPS[1]
            closes = _closes(series)
            days |= closes.keys()
            rows += [
                {
                    "market_date": day,
                    "source": self.name,
                    "coin_id": asset,
                    "symbol": asset.partition("_")[0].upper(),
                    "price_usd": close,
                    "market_cap_usd": series.get(day, {}).get(cap_column) or None,
                    "volume_24h_usd": series.get(day, {}).get(_VOLUME),
                }
                for day, close in sorted(closes.items())
                if first <= day <= market_date
            ]
        _check_day(days, market_date)
        return rows


class CoinMetricsArchiveFlows(Source):
    """``csv/{btc,eth}.csv``: the on-chain metrics of Bitcoin and Ether."""

    name = "coinmetrics_archive"
    vendor = "coinmetrics_archive"
    dataset = "onchain_daily"
    kind = "by_date"
    sends_all_since = True
    earliest_date = date(2010, 7, 18)
    available_hours = 24.0

    def fetch(
        self,
        client: HttpClient,
        settings: Settings,
        market_date: date,
        *,
        since: date | None = None,
    ) -> Iterator[tuple[str, HttpResponse]]:
        """Ask for both files; each holds the whole history. See ``Source.fetch``."""
        yield from _fetch_files(client, settings, self.vendor, FLOW_ASSETS)

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Read the files.

        Returns:
            One row per day, asset and metric of ``METRICS``; an empty value has no row.

        Raises:
            PayloadError: Not the documented shape, none of the metrics, a number below zero,
                or a day twice.
            NotYetAvailableError: No asset has a value of the day, or of a later one.
            UnobtainableError: No asset has a value of the day though some have later ones.
        """
        rows: list[dict[str, object]] = []
        days: set[date] = set()
        for asset, body in _files(bodies):
            series = _read_file(body, asset, METRICS, METRICS)
            days |= {day for day, values in series.items() if values}
            rows += [
                {
                    "market_date": day,
                    "source": self.name,
                    "coin_id": asset,
                    "metric": metric,
                    "value": value,
                }
                for day, values in sorted(series.items())
                if first <= day <= market_date
                for metric, value in sorted(values.items())
            ]
        _check_day(days, market_date)
        return rows


def _fetch_files(
    client: HttpClient, settings: Settings, vendor: str, assets: Sequence[str]
) -> Iterator[tuple[str, HttpResponse]]:
    from pipeline.sources.transfer import HttpStatusError

    gone: list[str] = []
    for asset in assets:
        path = f"coinmetrics/data/master/csv/{asset}.csv"
        try:
            response = client.get(vendor_url(settings, vendor, path), expect="csv")
        except HttpStatusError as exc:
            if exc.status != _NOT_FOUND:
                raise
            gone.append(asset)
            continue
        yield asset, response
    if gone:
        logger.warning("the archive of coinmetrics has no file of %s", ", ".join(gone))
    if len(gone) == len(assets):
        raise SourceError("the archive has none of the files; it may have moved, see its README")


def _files(bodies: Sequence[tuple[str, bytes]]) -> Sequence[tuple[str, bytes]]:
    names = [name for name, _ in bodies]
    if not names or len(set(names)) != len(names) or not all(map(_ASSET.fullmatch, names)):
        raise PayloadError(f"one body per asset is needed, got {shown(', '.join(names))}")
    return bodies


def _read_file(body: bytes, asset: str, wanted: Sequence[str], needed: Sequence[str]) -> _Series:
    """Read the columns wanted; an empty value is left out.

    The last line of a file holds the rate of the running day only.

    Raises:
        PayloadError: The file is not of the documented shape, or has no column of ``needed``.
    """
    header, *lines = csv_lines(body, asset)
    columns = {name: index for index, name in enumerate(header)}
    if len(columns) != len(header) or header[0] != "time":
        raise PayloadError(f"{asset}: the header is {shown(','.join(header))}; it has changed")
    if not columns.keys() & set(needed):
        raise PayloadError(
            f"{asset}: none of the columns {', '.join(needed)} is there; the archive's schema has "
            "changed"
        )
    series: _Series = {}
    for number, line in enumerate(lines, start=2):
        where = f"{asset}: line {number}"
        try:
            day = date.fromisoformat(line[0]) if _DAY.fullmatch(line[0]) else None
        except ValueError:
            day = None
        if day is None or day in series or day == date.max:
            raise PayloadError(f"{where}: {shown(line[0])} is no day, or comes twice")
        series[day] = {
            name: decimal_amount(line[columns[name]], f"{where}, {name}")
            for name in wanted
            if name in columns and line[columns[name]]
        }
    return series


def _closes(series: _Series) -> dict[date, float]:
    """Return the price at the end of each day; of two that should agree, ``PriceUSD``."""
    closes = {
        day - timedelta(days=1): values[_RATE]
        for day, values in series.items()
        if values.get(_RATE) and day > date.min
    }
    closes |= {day: values[_PRICE] for day, values in series.items() if values.get(_PRICE)}
    return closes


def _check_day(days: set[date], market_date: date) -> None:
    if market_date in days:
        return
    newest = max(days, default=None)
    if newest is not None and newest > market_date:
        raise UnobtainableError(f"there are later days but none for {market_date}")
    raise NotYetAvailableError(
        f"no asset has {market_date} yet, the newest is {newest}; run again later"
    )
