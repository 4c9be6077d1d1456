"""Holding what was landed against the gate, and storing what passes."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from pipeline import health
from pipeline.datasets import get_dataset
from pipeline.errors import PayloadError, QualityError, SourceError, TidemarkError
from pipeline.health import SourceHealth
from pipeline.settings import Settings
from pipeline.sources.registry import get_feed, get_source
from pipeline.steps.extracting import extract_unasked, passed_over
from pipeline.steps.running import locked, running

if TYPE_CHECKING:
    from pipeline.sources.base import Source
    from pipeline.step_log import StepNote

logger = logging.getLogger(__name__)

_LOADED_FROM_NOTHING = ("feed", "dataset", "source", "passed_over")


def validate_and_load(
    settings: Settings,
    extracted: Mapping[str, Any],
    run_id: str,
    *,
    wait_seconds: float | None = None,
) -> dict[str, Any]:
    """Parse landed payloads, hold them against the gate, and store what passes.

    When they do not pass, the feed's next source is asked, and the next, before giving up.

    Args:
        settings: Where.
        extracted: What ``extract`` returned.
        run_id: The run.
        wait_seconds: How long to wait for another writer; the setting by default.

    Returns:
        ``feed``, ``dataset``, ``source``, ``passed_over`` and how many rows were ``added``,
        ``revised``, ``unchanged`` and ``quarantined``. Without a source nothing is counted.

    Raises:
        PayloadError: A payload is not in the documented shape.
        QualityError: A critical rule failed; nothing of the dataset was stored.
        LockedError: Another run is writing.
    """
    night = date.fromisoformat(extracted["night"])
    market_date = date.fromisoformat(extracted["market_date"])
    feed = get_feed(extracted["feed"])
    asked = [SourceHealth.from_dict(each) for each in extracted["health"]]
    refusals: list[TidemarkError] = []
    with running(settings, run_id, f"load {feed.name}", night, is_locked=False) as note:
        try:
            while True:
                if extracted["source"] is None:
                    return {name: extracted[name] for name in _LOADED_FROM_NOTHING}
                source = get_source(extracted["source"], feed.dataset)
                try:
                    with locked(settings, run_id, wait_seconds):
                        loaded, asked[-1] = _load(
                            settings, source, extracted["payloads"], market_date, run_id, asked[-1]
                        )
                except (PayloadError, QualityError, SourceError) as exc:
                    logger.warning("%s of %s is refused: %s", source.name, market_date, exc)
                    asked[-1] = replace(asked[-1], status="refused", reason=str(exc))
                    refusals.append(exc)
                    try:
                        extracted = extract_unasked(settings, feed.name, night, run_id, asked)
                    except SourceError:
                        # The first refusal says most; those after it are in the log.
                        raise refusals[0] from None
                    continue
                count_rows(note, loaded)
                return {**loaded, "feed": feed.name, "passed_over": passed_over(asked)}
        finally:
            health.record(settings, run_id, night, feed.name, asked)


def count_rows(note: StepNote, loaded: Mapping[str, Any]) -> None:
    """Note how many rows were read, and how many of them were stored."""
    note.rows_out = loaded["added"] + loaded["revised"]
    note.rows_in = note.rows_out + loaded["unchanged"] + loaded["quarantined"]


def _load(
    settings: Settings,
    source: Source,
    described: Iterable[Mapping[str, Any]],
    market_date: date,
    run_id: str,
    asked: SourceHealth,
) -> tuple[dict[str, Any], SourceHealth]:
    from pipeline.fetching import read_frame
    from pipeline.landing import LandedPayload
    from pipeline.loading import load_frame

    dataset = get_dataset(source.dataset)
    payloads = [LandedPayload.from_dict(payload) for payload in described]
    frame = read_frame(settings, source, payloads, market_date)
    known_at = min((p.fetched_at for p in payloads), default=settings.now())
    result = load_frame(
        settings,
        frame,
        dataset,
        market_date=market_date,
        run_id=run_id,
        source=source.name,
        known_at=known_at,
        vintage="live",
        payload_refs=[p.path for p in payloads],
    )
    days = frame[dataset.date_column]
    return result.to_dict(), replace(
        asked,
        row_count=result.added + result.revised + result.unchanged,
        first_date=None if frame.empty else days.min(),
        last_date=None if frame.empty else days.max(),
    )
