"""Finding out what works from here: a polite look at every endpoint, which stores no figure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice
from typing import Any, Literal

from pipeline.datasets import get_dataset
from pipeline.errors import (
    NotYetAvailableError,
    PayloadError,
    RateLimitedError,
    SourceError,
    TidemarkError,
    UnobtainableError,
)
from pipeline.fetching import Effort, counting_client
from pipeline.files import write_bytes_atomically
from pipeline.loading import check_frame
from pipeline.settings import Settings
from pipeline.shapes_seen import differences, shape_of
from pipeline.sources.base import Source, close_of
from pipeline.sources.http import HttpClient, HttpResponse, HttpStatusError, Traffic
from pipeline.sources.registry import FEEDS, Feed
from pipeline.sources.vendors import get_vendor

Outcome = Literal["ok", "late", "changed", "blocked", "needs key", "off", "unreachable"]

RESPONSES_ASKED = 4
"""Answers of one source: enough for the few pages or files of most, few enough for anybody."""

CALLS_ASKED = 12
"""Calls to one source at most, as some have no answer for many symbols."""

_BLOCKED_STATUSES = frozenset({402, 403, 418, 429, 451})
_DIFFERENCES_SHOWN = 5
_FILE_NAME = re.compile(r"[^A-Za-z0-9_.-]+")


class _EnoughError(Exception):
    """The probe has made as many calls as it may."""


class _BriefClient(HttpClient):
    """A client that makes a few calls only."""

    def get(self, url: str, **options: Any) -> HttpResponse:
        """Ask as ``HttpClient.get`` does, unless enough has been asked."""
        if self.traffic.calls >= CALLS_ASKED:
            raise _EnoughError
        return super().get(url, **options)


@dataclass(frozen=True)
class ProbeResult:
    """What a look at one source of one feed found.

    Args:
        feed: The feed.
        source: The source.
        vendor: The host that was asked.
        outcome: ``ok``, ``late`` (it does not have the day), ``changed`` (it answers with
            something else than is documented), ``blocked`` (it refuses us), ``needs key``,
            ``off`` (it wants a consent), or ``unreachable``.
        detail: What was seen, in words.
        call_count: Calls that were made.
        is_needed: Whether no night can be published without it.
    """

    feed: str
    source: str
    vendor: str
    outcome: Outcome
    detail: str
    call_count: int
    is_needed: bool


def newest_day(settings: Settings, feed: Feed, source: Source) -> date:
    """Return the last day that a source should have by now."""
    late_days = max(feed.lag_days, math.ceil(source.available_hours / 24))
    return settings.default_market_date() - timedelta(days=late_days)


def probed_sources(vendor: str | None = None) -> list[tuple[Feed, Source]]:
    """Return the sources to look at, each once, with the first feed that has them.

    Raises:
        ConfigurationError: There is no such vendor.
    """
    if vendor is not None:
        get_vendor(vendor)
    found: dict[tuple[str, str], tuple[Feed, Source]] = {}
    for feed in FEEDS:
        for source in feed.sources:
            if source.payloads_of is None and vendor in {None, source.vendor}:
                found.setdefault((source.dataset, source.name), (feed, source))
    return list(found.values())


def run_probe(
    settings: Settings,
    sources: Iterable[tuple[Feed, Source]],
    *,
    on_source: Callable[[str], None] = lambda _: None,
) -> list[ProbeResult]:
    """Ask each source for its newest day, a few responses at most, and look at what comes.

    Shapes of the responses are kept under ``state/probe/<today>/``; no body and no figure is.

    Args:
        settings: Where, with which keys.
        sources: What to look at, as ``probed_sources`` gives it.
        on_source: Called with each source's name before it is asked.
    """
    results = []
    for feed, source in sources:
        on_source(f"{source.dataset} from {source.name}")
        results.append(_probe_source(settings, feed, source))
    return results


def failed_primaries(results: Iterable[ProbeResult]) -> list[ProbeResult]:
    """Return what keeps a night from being published."""
    return [result for result in results if result.is_needed and result.outcome != "ok"]


def _probe_source(settings: Settings, feed: Feed, source: Source) -> ProbeResult:
    effort = Effort()
    outcome: Outcome
    if source.is_usable(settings):
        outcome, detail = _look(settings, source, newest_day(settings, feed, source), effort)
    elif get_vendor(source.vendor).needs_key:
        outcome, detail = "needs key", "it answers nothing without a key; .env.example names it"
    else:
        outcome, detail = "off", "it is asked only when a setting says so; see .env.example"
    return ProbeResult(
        feed.name,
        source.name,
        source.vendor,
        outcome,
        detail,
        effort.call_count,
        feed.is_blocking and source is feed.sources[0],
    )


def _look(settings: Settings, source: Source, day: date, effort: Effort) -> tuple[Outcome, str]:
    asking = settings
    if source.kind == "now_only":
        # It would not ask at noon; what comes then still shows whether it works.
        asking = settings.model_copy(update={"now_override": close_of(day) + timedelta(hours=1)})
    bodies: list[tuple[str, bytes]] = []
    notes: list[str] = []
    with counting_client(settings, source.vendor, effort, _BriefClient) as client:
        try:
            for name, response in islice(source.fetch(client, asking, day), RESPONSES_ASKED):
                bodies.append((name, response.body))
                notes += _keep_shape(settings, source, name, response)
        except _EnoughError:
            notes.append(f"{CALLS_ASKED} calls brought {len(bodies)} answers")
        except TidemarkError as exc:
            return _outcome_of(exc, client.traffic), str(exc)
    is_whole = len(bodies) < RESPONSES_ASKED and effort.call_count < CALLS_ASKED
    try:
        frame = source.parse(bodies, day)
    except UnobtainableError as exc:
        is_too_late = source.kind == "now_only"
        return ("ok", f"it answers, but {exc}") if is_too_late else ("late", str(exc))
    except NotYetAvailableError as exc:
        return "late", str(exc)
    except SourceError as exc:
        return "blocked", str(exc)
    except PayloadError as exc:
        if is_whole or not bodies:
            return "changed", "; ".join([*notes, str(exc)])
        notes.insert(0, f"it answers; {len(bodies)} of its parts are too few to read rows from")
        return "ok", "; ".join(notes)
    if is_whole:
        dataset = get_dataset(source.dataset)
        report = check_frame(settings, frame, dataset, source.name, day, "live")
        if not report.is_passed:
            stopping = next(result for result in report.results if result.is_blocking)
            return "changed", f"{stopping.rule_id}: {stopping.sentence}"
    notes.insert(0, f"{len(frame)} rows up to {day}")
    return "ok", "; ".join(notes)


def _outcome_of(error: TidemarkError, traffic: Traffic) -> Outcome:
    """Return what an error while asking says about the vendor."""
    if isinstance(error, NotYetAvailableError | UnobtainableError):
        return "late"
    if isinstance(error, RateLimitedError):
        return "blocked"
    if isinstance(error, PayloadError):
        return "changed"
    status = error.status if isinstance(error, HttpStatusError) else traffic.last_status
    if status is None or status >= 500 or status == 408:
        return "unreachable"
    if status == 401:
        return "needs key"
    # Status 200 and no rows: a web page stands before the vendor.
    return "blocked" if status in _BLOCKED_STATUSES | {200} else "changed"


def _keep_shape(settings: Settings, source: Source, name: str, response: HttpResponse) -> list[str]:
    """Keep the shape of a response; return what is other than the last time."""
    shape = shape_of(response.body, response.body_format)
    today = settings.now().date().isoformat()
    root = settings.state_dir / "probe"
    file = f"{source.dataset}-{source.name}-{_FILE_NAME.sub('_', name)}.json"
    earlier = [path for path in sorted(root.glob(f"*/{file}")) if path.parent.name < today]
    content = json.dumps(shape, indent=1).encode() + b"\n"
    write_bytes_atomically(root / today / file, content)
    if not earlier:
        return []
    return differences(json.loads(earlier[-1].read_bytes()), shape)[:_DIFFERENCES_SHOWN]
