"""Faults on demand: which endpoint suffers which fault now."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.errors import ConfigurationError
from pipeline.sandbox.endpoints import Endpoint
from pipeline.sandbox.fault_names import (
    BODY_FAULTS,
    FAULT_NAMES,
    STATUS_FAULTS,
    faults_for,
)
from pipeline.sandbox.registry import ENDPOINTS, VENDOR_NAMES, find_endpoint

__all__ = [
    "BODY_FAULTS",
    "FAULT_NAMES",
    "KEYS",
    "STATUS_FAULTS",
    "Fault",
    "FaultBoard",
    "FaultRule",
    "chaos_rule",
    "faults_for",
]

KEYS: Final[tuple[str, ...]] = (
    *VENDOR_NAMES,
    *(endpoint.key for endpoint in ENDPOINTS),
    *(endpoint.alias for endpoint in ENDPOINTS if endpoint.alias),
)
"""What a fault can be set for: a vendor, one endpoint, or an endpoint's older name."""


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


def chaos_rule(seed: int, rate: float, names: Sequence[str] | None = None) -> FaultRule:
    """Return a rule that spoils requests at random, the same ones for the same seed.

    Args:
        seed: Of the choice.
        rate: Share of the requests that meet a fault, 0 to 1.
        names: Faults to choose from; all those that the endpoint can have when left out.

    Raises:
        ConfigurationError: The rate is not 0 to 1, or a fault is unknown.
    """
    if not 0 <= rate <= 1:
        raise ConfigurationError(f"the rate of faults is {rate}; choose 0 to 1")
    wanted = None if names is None else {Fault(name).name for name in names}

    def rule(path: str, earlier: int) -> Fault | None:
        found = find_endpoint(path)
        if found is None:
            return None
        dice = random.Random(f"{seed} {path} {earlier}")
        if dice.random() >= rate:
            return None
        possible = [name for name in faults_for(found[0]) if wanted is None or name in wanted]
        return Fault(dice.choice(possible)) if possible else None

    return rule


class FaultBoard(MutableMapping[str, str]):
    """Which endpoint suffers which fault now; safe to change while the server runs.

    Keys are ``KEYS``; an endpoint's own goes before its vendor's. Values are fault names, or
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

    def __setitem__(self, key: str, fault: str) -> None:
        if key not in KEYS:
            raise ConfigurationError(f"there is no endpoint {key!r}; there are: {', '.join(KEYS)}")
        parsed = Fault.parse(fault)
        with self._lock:
            self._faults[key] = parsed

    def __getitem__(self, key: str) -> str:
        with self._lock:
            return str(self._faults[key])

    def __delitem__(self, key: str) -> None:
        with self._lock:
            del self._faults[key]

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
        for key, fault in faults.items():
            if fault is None:
                self.pop(key, None)
            else:
                self[key] = fault

    def request_counts(self) -> dict[str, int]:
        """Return how many requests each endpoint has had, faulty ones included, by its key."""
        with self._lock:
            return dict(self._requests)

    def take(self, endpoint: Endpoint, path: str) -> Fault | None:
        """Count a request and return the fault that it meets, if any."""
        with self._lock:
            earlier = self._requests[endpoint.key]
            self._requests[endpoint.key] += 1
            for key in (endpoint.key, endpoint.alias, endpoint.vendor):
                fault = None if key is None else self._faults.get(key)
                if key is None or fault is None:
                    continue
                if fault.request_count == 1:
                    del self._faults[key]
                elif fault.request_count is not None:
                    self._faults[key] = Fault(fault.name, fault.request_count - 1)
                return fault
        return None if self._rule is None else self._rule(path, earlier)
