"""Who gets which alerts: the setting ``TIDEMARK_ALERT_TO``, read.

::

    ops@example.org                              everything
    boss@example.org critical                    what is critical
    quant@example.org warning equity_daily       warnings and worse about one dataset
    Desk <desk@example.org> info market_daily global_daily
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from pipeline.alerts.mail import mail_address
from pipeline.alerts.problem import SEVERITY_RANK, Problem, Severity
from pipeline.datasets import DATASETS
from pipeline.errors import ConfigurationError

VARIABLE = "TIDEMARK_ALERT_TO"


@dataclass(frozen=True)
class Route:
    """One recipient and what concerns it.

    Args:
        address: As it goes into the header.
        severity: The least severity it is for.
        datasets: The raw datasets it is for; empty for all, and for what is no dataset's.
    """

    address: str
    severity: Severity = "info"
    datasets: frozenset[str] = frozenset()

    def takes(self, problem: Problem) -> bool:
        """Return whether a problem concerns the recipient."""
        return SEVERITY_RANK[problem.severity] >= SEVERITY_RANK[self.severity] and (
            not self.datasets or problem.dataset in self.datasets
        )

    @property
    def takes_summaries(self) -> bool:
        """Whether the recipient gets what is about the whole, when nothing is wrong."""
        return self.severity != "critical" and not self.datasets


def read_routes(setting: str) -> tuple[Route, ...]:
    """Return the routes that a setting describes.

    Raises:
        ConfigurationError: An address is not one, or a word is neither a severity nor a dataset.
    """
    return tuple(_read_route(part.strip()) for part in setting.split(",") if part.strip())


def _read_route(text: str) -> Route:
    end = text.find(">") + 1
    head, *words = [text[:end], *text[end:].split()] if end else text.split(" ")
    address = mail_address(head, VARIABLE)
    words = [word for word in words if word]
    severity: Severity = "info"
    if words and words[0] in SEVERITY_RANK:
        severity = cast("Severity", words.pop(0))
    unknown = [word for word in words if word not in DATASETS]
    if unknown:
        raise ConfigurationError(
            f"{VARIABLE} holds {unknown[0]!r} behind {address}, which is neither a severity "
            f"({', '.join(SEVERITY_RANK)}) nor a dataset; docs/operations.md has examples"
        )
    return Route(address, severity, frozenset(words))


def addressees(routes: Sequence[Route], problem: Problem) -> tuple[str, ...]:
    """Return who is told of a problem; what is critical and nobody's is everybody's."""
    taking = tuple(route.address for route in routes if route.takes(problem))
    if not taking and problem.severity == "critical":
        return tuple(route.address for route in routes)
    return taking
