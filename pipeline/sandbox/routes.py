"""What the sandbox answers: from a request line to a body. No sockets here."""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from email.utils import format_datetime

from pipeline.errors import TidemarkError
from pipeline.sandbox.endpoints import Endpoint
from pipeline.sandbox.fault_names import ALL_STATUS_FAULTS
from pipeline.sandbox.faults import FaultBoard
from pipeline.sandbox.market import GrowingMarket
from pipeline.sandbox.messages import (
    HTML_TYPE,
    JSON_TYPE,
    ZIP_TYPE,
    Request,
    Response,
    World,
    render_json,
    seconds_of,
)
from pipeline.sandbox.registry import ENDPOINTS, find_endpoint
from pipeline.sandbox.spoiled_bodies import HTML, gzip_bomb, spoil_body, zip_bomb

NEVER_SECONDS = 3600.0
BANNED_SECONDS = 120

_DAYS_EARLIER = {"stale_stamp": 3, "yesterday_body": 1}
_WIRE = {"cut_connection": "cut", "reset": "reset", "slow_drip": "drip"}
_UNTOUCHED = {*_DAYS_EARLIER, *_WIRE, "slow", "timeout", "wrong_checksum", "gzip_bomb"}
_CHECKSUM = ".CHECKSUM"
_DAY_IN_PATH = re.compile(r"[0-9]{4}-[0-9]{2}(-[0-9]{2})?(?=\.zip)")


@dataclass(frozen=True)
class Timing:
    """How long the faults of delay last, in seconds."""

    slow_seconds: float
    never_seconds: float = NEVER_SECONDS


def _text_error(status: int, message: str) -> Response:
    return Response(status, JSON_TYPE, render_json({"error": message}))


def example_request(endpoint: Endpoint, now: datetime) -> str:
    """Return an endpoint's example, with its dates around ``now``, behind its vendor's folder."""
    before_last = now.date() - timedelta(days=2)
    month = now.date().replace(day=1) - timedelta(days=32)
    filled = endpoint.example.format(
        before_last=before_last,
        month_before_last=f"{month:%Y-%m}",
        days_ago_seconds=seconds_of(now.date() - timedelta(days=8)),
        now_seconds=int(now.timestamp()),
    )
    return f"/{endpoint.vendor}{filled}"


class Router:
    """Answers requests about one market."""

    def __init__(self, market: GrowingMarket, faults: FaultBoard, timing: Timing) -> None:
        self.market, self.faults, self._timing = market, faults, timing

    def answer(self, request: Request) -> Response:
        """Return the answer, with the fault that its endpoint suffers at present."""
        found = find_endpoint(request.path)
        if found is None:
            return self._own_page(request)
        endpoint, groups = found
        fault = self.faults.take(endpoint, request.path)
        try:
            if fault is None:
                return self._ask(endpoint, groups, request)
            return self._spoil(endpoint, groups, request, fault.name)
        except TidemarkError as exc:
            return _text_error(400, str(exc))

    def _own_page(self, request: Request) -> Response:
        if request.path == "/healthz":
            return Response(200, JSON_TYPE, b'{"status":"ok"}')
        if request.path == "/":
            return Response(200, HTML_TYPE, _index_page(self.market, request.now))
        return _text_error(404, f"the sandbox has no page {request.path}")

    def _ask(self, endpoint: Endpoint, groups: Mapping[str, str], request: Request) -> Response:
        return endpoint.answer(World(self.market, request.now), request, groups)

    def _spoil(
        self, endpoint: Endpoint, groups: Mapping[str, str], request: Request, name: str
    ) -> Response:
        if name in ALL_STATUS_FAULTS:
            return _refuse(endpoint, request, name)
        if name == "timeout":
            return Response(
                200, JSON_TYPE, b"", delay_seconds=self._timing.never_seconds, wire="none"
            )
        if name in _DAYS_EARLIER:
            request = _earlier(endpoint, request, _DAYS_EARLIER[name])
            found = find_endpoint(request.path)
            groups = groups if found is None else found[1]
        if name == "repeat_page" and endpoint.page_parameter is not None:
            parameter, first = endpoint.page_parameter
            return self._ask(
                endpoint,
                groups,
                replace(request, parameters=request.parameters | {parameter: first}),
            )
        response = self._ask(endpoint, groups, request)
        if response.status != 200:
            return response
        if name == "missing_page" and endpoint.page_parameter is not None:
            parameter, first = endpoint.page_parameter
            if request.parameters.get(parameter, first) == first:
                return response
            return replace(response, body=spoil_body("empty_list", endpoint.shape, response.body))
        if name == "gzip_bomb":
            return _bomb(response, request)
        response = replace(
            response,
            delay_seconds=self._timing.slow_seconds if name == "slow" else 0.0,
            wire=_WIRE.get(name, ""),
        )
        if request.path.endswith(_CHECKSUM):
            return self._spoil_checksum(endpoint, request, response, name)
        if name in _UNTOUCHED:
            return response
        body = spoil_body(name, endpoint.shape, response.body)
        content_type = HTML_TYPE if name == "html_200" else response.content_type
        return replace(response, body=body, content_type=content_type)

    def _spoil_checksum(
        self, endpoint: Endpoint, request: Request, response: Response, name: str
    ) -> Response:
        """Answer a spoilt file's checksum: it fits, unless that is the fault."""
        if name == "wrong_checksum":
            digest, _, rest = response.body.partition(b" ")
            return replace(response, body=digest[::-1] + b" " + rest)
        if name == "html_200":
            return replace(response, body=HTML, content_type=HTML_TYPE)
        if name in _UNTOUCHED or name == "truncated":
            return response
        path = request.path.removesuffix(_CHECKSUM)
        found = find_endpoint(path)
        if found is None:
            return response
        good = self._ask(endpoint, found[1], replace(request, path=path))
        digest = hashlib.sha256(spoil_body(name, endpoint.shape, good.body)).hexdigest().encode()
        return replace(response, body=digest + response.body[len(digest) :])


def _earlier(endpoint: Endpoint, request: Request, days: int) -> Request:
    """Return the request as it was some days ago, or for the file of some days ago."""
    if not endpoint.is_dated:
        return replace(request, now=request.now - timedelta(days=days))

    def before(match: re.Match[str]) -> str:
        if match[1]:
            return str(date.fromisoformat(match[0]) - timedelta(days=days))
        return f"{date.fromisoformat(f'{match[0]}-01') - timedelta(days=days):%Y-%m}"

    return replace(request, path=_DAY_IN_PATH.sub(before, request.path))


def _bomb(response: Response, request: Request) -> Response:
    if response.content_type == ZIP_TYPE:
        name = request.path.rpartition("/")[2].removesuffix(".zip")
        return replace(response, body=zip_bomb(f"{name}.csv"))
    headers = response.headers | {"Content-Encoding": "gzip"}
    return replace(response, body=gzip_bomb(), headers=headers, wire="encoded")


def _refuse(endpoint: Endpoint, request: Request, name: str) -> Response:
    status = ALL_STATUS_FAULTS[name]
    headers = {
        "status_418": {"Retry-After": str(BANNED_SECONDS)},
        "status_429": {"Retry-After": "1"},
        "status_429_float": {"Retry-After": "0.75"},
        "status_429_date": {
            "Retry-After": format_datetime(request.now + timedelta(seconds=1), usegmt=True)
        },
        "status_429_reset": {"x-ratelimit-reset": "1"},
    }.get(name, {})
    return Response(status, *endpoint.render_error(status), headers)


def _index_page(market: GrowingMarket, now: datetime) -> bytes:
    example = datetime.combine(now.date(), time(1, 10), UTC)
    paths = [example_request(endpoint, example) for endpoint in ENDPOINTS]
    pretended = f"/at/{example:%Y-%m-%dT%H:%M:%SZ}"
    links = "\n".join(
        f'<li><a href="{html.escape(path)}"><code>{html.escape(path)}</code></a></li>'
        for path in (*paths, "/healthz", "/_sandbox/faults", f"{pretended}{paths[0]}")
    )
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Tidemark sandbox</title>
<meta name="viewport" content="width=device-width">
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem}}
code{{overflow-wrap:anywhere}}</style></head>
<body><h1>Tidemark sandbox</h1>
<p>A simulated market in the wire formats of the vendors. Every figure is drawn from seed
{market.seed}; none is a real price. The market begins on {market.first_day} with
{market.coin_count} coins.</p>
<ul>
{links}
</ul>
<p>A path that begins with <code>/at/&lt;instant&gt;</code> is answered as if it were that time.
<code>PUT /_sandbox/faults</code> with <code>{{"coingecko:coins/markets": "html_200"}}</code>
makes an endpoint misbehave, <code>{{"coingecko": "html_200"}}</code> a whole vendor,
<code>null</code> cures it.</p>
</body></html>
""".encode()
