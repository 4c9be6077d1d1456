"""Faults on demand: what a vendor does on a bad night."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

from pipeline.errors import ConfigurationError

ENDPOINTS: Final = ("coingecko", "cboe", "cboe-rut", "cboe-spx", "alternative_me")

# Faults that change a body, by what they do to it.
BODY_FAULTS: Final = {
    "html_200": "an HTML page with status 200",
    "truncated": "the first half of the body",
    "cut_connection": "the connection closes half-way through the body",
    "empty_list": "the right shape with no rows",
    "nan": "NaN as the newest or largest figure",
    "null_caps": "every third figure is null (empty in a CSV)",
    "repeat_page": "page 1 whatever page is asked; elsewhere the newest row twice",
    "unit_slip": "prices, caps and levels of the newest day times 1000",
    "stale_stamp": "the answer of three days ago",
}
STATUS_FAULTS: Final = {
    "status_403": 403,
    "status_404": 404,
    "status_429": 429,
    "status_500": 500,
    "status_503": 503,
}
FAULT_NAMES: Final = (*BODY_FAULTS, *STATUS_FAULTS, "slow")

_UNIT_SLIP = 1000
_HTML = b"""<!DOCTYPE html>
<html lang="en-US"><head><title>Just a moment...</title></head>
<body><h1>Checking your browser before you proceed</h1></body></html>
"""


@dataclass(frozen=True)
class Fault:
    """One fault, and for how many requests it lasts (None: until it is cleared)."""

    name: str
    request_count: int | None = None

    def __post_init__(self) -> None:
        if self.name not in FAULT_NAMES:
            raise ConfigurationError(
                f"there is no fault {self.name!r}; there are: {', '.join(FAULT_NAMES)}"
            )
        if self.request_count is not None and self.request_count < 1:
            raise ConfigurationError(f"fault {self.name} needs a count of 1 or more")

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read ``status_500``, or ``status_500:2`` for two requests only."""
        name, _, count = text.partition(":")
        if count and not count.isdecimal():
            raise ConfigurationError(f"the fault {text!r} is not NAME or NAME:COUNT")
        return cls(name, int(count) if count else None)

    def __str__(self) -> str:
        return self.name if self.request_count is None else f"{self.name}:{self.request_count}"


FaultRule = Callable[[str, int], Fault | None]


class FaultBoard(MutableMapping[str, str]):
    """Which endpoint suffers which fault now; safe to change while the server runs.

    Keys are ``ENDPOINTS``; ``cboe-rut`` goes before ``cboe``. Values are fault names, or
    ``name:count`` for the next ``count`` requests.

    Args:
        initial: Faults to begin with, or a rule that is called with the path and the
            number of earlier requests to that endpoint and returns a fault or None. What
            is set on the board goes before the rule.
    """

    def __init__(self, initial: Mapping[str, str] | FaultRule | None = None) -> None:
        self._lock = threading.Lock()
        self._faults: dict[str, Fault] = {}
        self._requests: Counter[str] = Counter()
        self._rule: FaultRule | None = None
        if callable(initial):
            self._rule = initial
        elif initial is not None:
            self.update(initial)

    def __setitem__(self, endpoint: str, fault: str) -> None:
        if endpoint not in ENDPOINTS:
            raise ConfigurationError(
                f"there is no endpoint {endpoint!r}; there are: {', '.join(ENDPOINTS)}"
            )
        parsed = Fault.parse(fault)
        with self._lock:
            self._faults[endpoint] = parsed

    def __getitem__(self, endpoint: str) -> str:
        with self._lock:
            return str(self._faults[endpoint])

    def __delitem__(self, endpoint: str) -> None:
        with self._lock:
            del self._faults[endpoint]

    def __iter__(self) -> Iterator[str]:
        with self._lock:
            return iter(list(self._faults))

    def __len__(self) -> int:
        with self._lock:
            return len(self._faults)

    def replace(self, faults: Mapping[str, str | None]) -> None:
        """Set the named endpoints' faults, None clears one; all or nothing.

        Raises:
            ConfigurationError: An endpoint or a fault is unknown.
        """
        FaultBoard({key: value for key, value in faults.items() if value is not None})
        for endpoint, fault in faults.items():
            if fault is None:
                self.pop(endpoint, None)
            else:
                self[endpoint] = fault

    def request_counts(self) -> dict[str, int]:
        """Return how many requests each endpoint has had, faulty ones included."""
        with self._lock:
            return dict(self._requests)

    def take(self, endpoint: str, path: str) -> Fault | None:
        """Count a request and return the fault that it meets, if any."""
        with self._lock:
            earlier = self._requests[endpoint]
            self._requests[endpoint] += 1
            for key in (endpoint, endpoint.partition("-")[0]):
                fault = self._faults.get(key)
                if fault is None:
                    continue
                if fault.request_count == 1:
                    del self._faults[key]
                elif fault.request_count is not None:
                    self._faults[key] = Fault(fault.name, fault.request_count - 1)
                return fault
        return None if self._rule is None else self._rule(path, earlier)


def _spoil_markets(name: str, rows: list[dict[str, Any]]) -> Any:
    if name == "empty_list":
        return []
    if name == "nan" and rows:
        rows[0]["current_price"] = float("nan")
    elif name == "null_caps":
        for row in rows[::3]:
            row["market_cap"] = None
    elif name == "unit_slip":
        for row in rows:
            for column in ("current_price", "market_cap"):
                row[column] = None if row[column] is None else row[column] * _UNIT_SLIP
    return rows


def _spoil_fng(name: str, answer: dict[str, Any]) -> Any:
    rows = answer["data"]
    if name == "empty_list":
        answer["data"] = []
    elif name == "nan" and rows:
        rows[0]["value"] = "NaN"
    elif name == "null_caps":
        for row in rows[::3]:
            row["value"] = None
    elif name == "repeat_page" and rows:
        answer["data"] = [rows[0], *rows]
    elif name == "unit_slip" and rows:
        rows[0]["value"] = str(int(rows[0]["value"]) * _UNIT_SLIP)
    return answer


def _spoil_csv(name: str, header: str, lines: list[str]) -> list[str]:
    if name == "empty_list" or not lines:
        return [header]
    day, _, points = lines[-1].partition(",")
    if name == "nan":
        lines[-1] = f"{day},nan"
    elif name == "null_caps":
        kept = lines[::-1]
        kept[::3] = [line.partition(",")[0] + "," for line in kept[::3]]
        lines = kept[::-1]
    elif name == "repeat_page":
        lines.append(lines[-1])
    elif name == "unit_slip":
        lines[-1] = f"{day},{float(points) * _UNIT_SLIP:.6f}"
    return [header, *lines]


def spoil_body(name: str, endpoint: str, body: bytes) -> bytes:
    """Return the body as the fault leaves it.

    Args:
        name: One of ``BODY_FAULTS``; ``stale_stamp``, ``cut_connection`` and CoinGecko's
            ``repeat_page`` change the request or the connection, so they leave it alone.
        endpoint: One of ``ENDPOINTS``.
        body: The right body.
    """
    if name in ("stale_stamp", "cut_connection"):
        return body
    if name == "html_200":
        return _HTML
    if name == "truncated":
        return body[: len(body) // 2]
    if endpoint.startswith("cboe"):
        header, *lines = body.decode().splitlines()
        return "\n".join([*_spoil_csv(name, header, lines), ""]).encode()
    answer = json.loads(body)
    spoil: Callable[[str, Any], Any] = _spoil_markets if endpoint == "coingecko" else _spoil_fng
    return json.dumps(spoil(name, answer)).encode()
