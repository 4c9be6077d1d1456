"""CoinMarketCap without a key: its fear and greed index, and its altcoin season index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from pipeline.errors import PayloadError
from pipeline.sources.base import Source, first_day
from pipeline.sources.coinmarketcap import VENDOR, check_stamp, public_url, read_data
from pipeline.sources.payload import number_or_none, text_or_none
from pipeline.sources.shapes import (
    as_list,
    as_object,
    missing_day,
    numbered_bodies,
    only_body,
    stamp_or_none,
    unix_time,
)
from pipeline.sources.snapshot import check_askable

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.sources.http import HttpClient, HttpResponse

SCORES_PER_PAGE = 500


class CoinMarketCapFearGreed(Source):
    """``/fear-and-greed/historical``: a score from 0 (extreme fear) to 100 (extreme greed).

    Another method than alternative.me's. The stamp 00:00 D is day D, known when D opens.
    """

    name = "cmc_fear_greed"
    vendor = VENDOR
    dataset = "sentiment_daily"
    kind = "by_date"
    sends_all_since = True

    def fetch(
        self,
        client: HttpClient,
        settings: Settings,
        market_date: date,
        *,
        since: date | None = None,
    ) -> Iterator[tuple[str, HttpResponse]]:
        """Ask for pages, newest first, until the first day wanted is reached or they end.

        See ``Source.fetch``.
        """
        days = (settings.now().date() - first_day(market_date, since)).days + 2
        limit = min(days, SCORES_PER_PAGE)
        for page in range(1, -(-days // limit) + 1):
            params = {"start": str((page - 1) * limit + 1), "limit": str(limit)}
            url = public_url(settings, "public-api/v3/fear-and-greed/historical")
            response = client.get(url, params=params)
            yield f"fear-greed-{page}", response
            if len(as_list(read_data(response.body), f"page {page}")) < limit:
                return

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Read the pages.

        Returns:
            One row per day; score 0 to 100, null where the vendor sends null.

        Raises:
            SourceError: A body carries the vendor's own error.
            PayloadError: Not the documented shape, a stamp that is not 00:00 UTC, a score
                outside 0 to 100, or a day twice with different scores.
            NotYetAvailableError: The day, and any later one, is missing.
            UnobtainableError: The day is missing though later ones are there.
        """
        days: dict[date, tuple[float | None, str | None]] = {}
        for number, body in enumerate(numbered_bodies(bodies, "fear-greed"), start=1):
            for index, entry in enumerate(as_list(read_data(body), f"page {number}"), start=1):
                where = f"page {number}, row {index}"
                day, score = _read_score(as_object(entry, where), where)
                if days.setdefault(day, score) != score:
                    raise PayloadError(f"{day} comes twice with different scores; fetch again")
        if market_date not in days:
            raise missing_day(market_date, days)
        return [
            {"market_date": day, "source": self.name, "score": score, "label": label}
            for day, (score, label) in sorted(days.items())
            if first <= day <= market_date
        ]


class CoinMarketCapAltcoinSeason(Source):
    """``/altcoin-season-index/latest``: 0 (Bitcoin season) to 100 (altcoin season), now only.

    The share, in percent, of the largest coins that beat Bitcoin over 90 days.
    """

    name = "cmc_altcoin_season"
    vendor = VENDOR
    dataset = "sentiment_daily"
    kind = "now_only"

    def fetch(
        self,
        client: HttpClient,
        settings: Settings,
        market_date: date,
        *,
        since: date | None = None,
    ) -> Iterator[tuple[str, HttpResponse]]:
        """Ask once, if now can describe the day; ``since`` changes nothing."""
        check_askable(settings, market_date, "CoinMarketCap")
        url = public_url(settings, "public-api/v1/altcoin-season-index/latest")
        yield "altcoin-season", client.get(url)

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Read the one body; ``first`` changes nothing here.

        Returns:
            One row: score 0 to 100; the vendor gives no label.

        Raises:
            SourceError: The body carries the vendor's own error.
            PayloadError: Not the documented shape, no score, or from before the close.
            UnobtainableError: The snapshot was taken too long after the close.
        """
        where = "altcoin-season"
        data = as_object(read_data(only_body(bodies, where)), where)
        check_stamp(_snapshot_time(data, where), market_date, where)
        score = _score(data, "altcoin_index", where)
        if score is None:
            raise PayloadError(f"{where}: there is no score; fetch again later")
        return [{"market_date": market_date, "source": self.name, "score": score, "label": None}]


def _snapshot_time(data: Mapping[str, Any], where: str) -> datetime | None:
    # The documentation says that it is text, not which: both forms that the vendor uses.
    stamp = text_or_none(data, "snapshot_time", where)
    if stamp is not None and stamp.isdigit():
        return unix_time(stamp, f"{where}, snapshot_time")
    return stamp_or_none(data, "snapshot_time", where)


def _score(row: Mapping[str, Any], field: str, where: str) -> float | None:
    score = number_or_none(row, field, where)
    if score is not None and not 0 <= score <= 100:
        raise PayloadError(f"{where}: the score {score} is not 0 to 100")
    return score


def _read_score(row: Mapping[str, Any], where: str) -> tuple[date, tuple[float | None, str | None]]:
    moment = unix_time(row.get("timestamp"), f"{where}, timestamp")
    if moment.time() != time():
        raise PayloadError(f"{where}: {moment} is not 00:00 UTC of a day")
    label = text_or_none(row, "value_classification", where)
    return moment.date(), (_score(row, "value", where), label)
