"""What the sandbox answers: from a request line to a body. No sockets here."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from email.utils import format_datetime
from urllib.parse import parse_qsl, unquote, urlsplit

from pipeline.errors import ConfigurationError, TidemarkError
from pipeline.sandbox import wire
from pipeline.sandbox.faults import BODY_FAULTS, STATUS_FAULTS, Fault, FaultBoard, spoil_body
from pipeline.sandbox.market import GrowingMarket
from pipeline.sandbox.sessions import is_session, session_close

JSON_TYPE = "application/json; charset=utf-8"
CSV_TYPE = "text/csv"
HTML_TYPE = "text/html; charset=utf-8"
RETRY_AFTER_SECONDS = 1

_STALE = timedelta(days=3)
_AT_PREFIX = re.compile(r"^/at/([^/]+)(/.*)?$")
_ENDPOINT_OF_PATH = {
    "/coingecko/api/v3/coins/markets": "coingecko",
    "/cboe/api/global/us_indices/daily_prices/RUT_History.csv": "cboe-rut",
    "/cboe/api/global/us_indices/daily_prices/SPX_History.csv": "cboe-spx",
    "/alternative_me/fng": "alternative_me",
}
_EXAMPLES = (
    "/coingecko/api/v3/coins/markets?vs_currency=usd&per_page=250&page=1",
    "/cboe/api/global/us_indices/daily_prices/RUT_History.csv",
    "/cboe/api/global/us_indices/daily_prices/SPX_History.csv",
    "/alternative_me/fng/?limit=0",
    "/healthz",
    "/_sandbox/faults",
)


@dataclass(frozen=True)
class Request:
    """A request: the pretended or real time, the path behind ``/at/...``, the parameters."""

    path: str
    parameters: dict[str, str]
    now: datetime


@dataclass(frozen=True)
class Response:
    """An answer. ``delay_seconds`` passes before it; a cut one ends half-way."""

    status: int
    content_type: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    is_cut: bool = False


def parse_request(target: str, clock: Callable[[], datetime]) -> Request:
    """Split a request target.

    Args:
        target: Path and query, perhaps behind ``/at/2026-11-19T01:10:00Z``.
        clock: Gives the time of requests without that prefix.

    Raises:
        ConfigurationError: The time is not an ISO instant with an offset.
    """
    parts = urlsplit(target)
    path, now = unquote(parts.path), None
    prefixed = _AT_PREFIX.match(path)
    if prefixed:
        path = prefixed[2] or "/"
        try:
            now = datetime.fromisoformat(prefixed[1])
        except ValueError as exc:
            raise ConfigurationError(f"{prefixed[1]!r} is not an ISO instant") from exc
        if now.tzinfo is None:
            raise ConfigurationError(f"{prefixed[1]!r} has no offset; end it with Z")
    moment = (now or clock()).astimezone(UTC)
    return Request(path, dict(parse_qsl(parts.query, keep_blank_values=True)), moment)


def _text_error(status: int, message: str) -> Response:
    return Response(status, JSON_TYPE, wire.render_text_error(message))


class Router:
    """Answers requests about one market."""

    def __init__(self, market: GrowingMarket, faults: FaultBoard, slow_seconds: float) -> None:
        self.market, self.faults, self._slow_seconds = market, faults, slow_seconds

    def answer(self, request: Request) -> Response:
        """Return the answer, with the fault that its endpoint suffers at present."""
        endpoint = _ENDPOINT_OF_PATH.get(request.path.rstrip("/") or "/")
        if endpoint is None:
            return self._own_page(request)
        fault = self.faults.take(endpoint, request.path)
        try:
            return self._answer_vendor(endpoint, request, fault)
        except TidemarkError as exc:
            return _text_error(400, str(exc))

    def _own_page(self, request: Request) -> Response:
        if request.path == "/healthz":
            return Response(200, JSON_TYPE, b'{"status":"ok"}')
        if request.path == "/":
            return Response(200, HTML_TYPE, _index_page(self.market, request.now))
        return _text_error(404, f"the sandbox has no page {request.path}")

    def _answer_vendor(self, endpoint: str, request: Request, fault: Fault | None) -> Response:
        name = None if fault is None else fault.name
        if name in STATUS_FAULTS:
            return _status_answer(STATUS_FAULTS[name])
        now = request.now - _STALE if name == "stale_stamp" else request.now
        parameters = request.parameters
        if name == "repeat_page":
            parameters = parameters | {"page": "1"}
        if endpoint == "coingecko":
            response = self._markets(parameters, now)
        elif endpoint == "alternative_me":
            response = self._sentiment(parameters, now)
        else:
            response = self._index_history(endpoint.partition("-")[2].upper(), now)
        if name is None or response.status != 200:
            return response
        return Response(
            200,
            HTML_TYPE if name == "html_200" else response.content_type,
            spoil_body(name, endpoint, response.body) if name in BODY_FAULTS else response.body,
            response.headers,
            delay_seconds=self._slow_seconds if name == "slow" else 0.0,
            is_cut=name == "cut_connection",
        )

    def _markets(self, parameters: dict[str, str], now: datetime) -> Response:
        if "vs_currency" not in parameters:
            return _text_error(422, "Missing parameter vs_currency")
        if parameters["vs_currency"].lower() != "usd":
            return _text_error(400, "invalid vs_currency")
        precision = parameters.get("precision")
        if precision is not None and precision != "full" and not _is_count(precision, 18):
            return _text_error(400, "invalid precision")
        last_close = now.date() - timedelta(days=1)
        market = self.market.until(last_close)
        body = wire.render_markets(
            market.vendor_snapshot(last_close),
            now,
            page=_count(parameters, "page", 1),
            per_page=_count(parameters, "per_page", 100),
            order=parameters.get("order", "market_cap_desc"),
            ids=frozenset(part for part in parameters.get("ids", "").split(",") if part),
            include_rehypothecated=parameters.get("include_rehypothecated") == "true",
            precision=precision,
        )
        return Response(200, JSON_TYPE, body, {"Cache-Control": "max-age=30, public"})

    def _index_history(self, ticker: str, now: datetime) -> Response:
        last = last_closed_session(now)
        market = self.market.until(last)
        body = wire.render_index_history(market.equity_history(market.first_day, last), ticker)
        headers = {"Last-Modified": format_datetime(session_close(last), usegmt=True)}
        return Response(200, CSV_TYPE, body, headers)

    def _sentiment(self, parameters: dict[str, str], now: datetime) -> Response:
        limit = parameters.get("limit", "1") or "1"
        market = self.market.until(now.date())
        history = market.sentiment_history(market.first_day, now.date())
        if not _is_count(limit):
            return Response(200, JSON_TYPE, wire.render_fng(history, now, error="invalid limit"))
        return Response(200, JSON_TYPE, wire.render_fng(history, now, limit=int(limit)))


def _is_count(text: str, most: int = 10**6) -> bool:
    return text.isdecimal() and text.isascii() and len(text) < 8 and int(text) <= most


def _count(parameters: dict[str, str], name: str, default: int) -> int:
    text = parameters.get(name, "")
    return int(text) if _is_count(text) else default


def _status_answer(status: int) -> Response:
    if status == 403:
        return Response(403, HTML_TYPE, b"<html><body>error code: 1020</body></html>")
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 429 else {}
    message = {
        429: "You've exceeded the Rate Limit. The sandbox was asked to say so.",
        404: "not found",
    }.get(status, "The sandbox was asked to fail.")
    return Response(status, JSON_TYPE, wire.render_coingecko_error(message, status), headers)


def last_closed_session(now: datetime) -> date:
    """Return the New York session whose close is the latest one at or before ``now``."""
    day = now.astimezone(UTC).date()
    while not is_session(day) or session_close(day) > now:
        day -= timedelta(days=1)
    return day


def _index_page(market: GrowingMarket, now: datetime) -> bytes:
    example = datetime.combine(now.date(), time(1, 10), UTC)
    pretended = f"/at/{example:%Y-%m-%dT%H:%M:%SZ}{_EXAMPLES[0]}"
    links = "\n".join(
        f'<li><a href="{html.escape(path)}"><code>{html.escape(path)}</code></a></li>'
        for path in (*_EXAMPLES, pretended)
    )
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Tidemark sandbox</title>
<meta name="viewport" content="width=device-width">
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem}}
code{{overflow-wrap:anywhere}}</style></head>
<body><h1>Tidemark sandbox</h1>
<p>A simulated market in the wire formats of CoinGecko, Cboe and alternative.me. Every figure is
drawn from seed {market.seed}; none is a real price. The market begins on {market.first_day}
with {market.coin_count} coins.</p>
<ul>
{links}
</ul>
<p>A path that begins with <code>/at/&lt;instant&gt;</code> is answered as if it were that time.
<code>PUT /_sandbox/faults</code> with <code>{{"coingecko": "html_200"}}</code> makes a vendor
misbehave, <code>{{"coingecko": null}}</code> cures it.</p>
</body></html>
""".encode()
