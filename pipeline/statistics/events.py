"""What followed a kind of event, beside what follows any day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft

from pipeline.statistics.arrays import NAN, Floats, Ints
from pipeline.statistics.resampling import bootstrap_mean_interval


@dataclass(frozen=True)
class EventStudy:
    """Outcomes after events, in the unit of the outcomes; the interval is of 95 %."""

    event_count: int
    mean: float
    median: float
    hit_fraction: float
    baseline_mean: float
    difference: float
    difference_low: float
    difference_high: float
    p_value: float


def merge_episodes(days: Ints, min_distance_days: int) -> Ints:
    """Return the first day of each episode.

    Args:
        days: Days of events, rising.
        min_distance_days: An event nearer than this to the start of the episode before it
            belongs to that episode: its outcome would overlap.
    """
    kept: list[int] = []
    for day in days:
        if not kept or day - kept[-1] >= min_distance_days:
            kept.append(int(day))
    return np.asarray(kept, dtype=np.int64)


def study_events(positions: Ints, outcomes: Floats, generator: np.random.Generator) -> EventStudy:
    """Compare what followed events with what followed every day.

    Args:
        positions: Positions of the events in ``outcomes``, none twice, without overlap.
        outcomes: What followed each day, in time order, any unit, without missing values.
        generator: Source of chance.

    Returns:
        The interval of the difference resamples the events. The p-value is the share of
        shifts of all events together, round a ring of the days, whose mean is at least as
        far from the baseline: neighbouring outcomes overlap, and a shift keeps that. NaN
        without events; interval NaN for a single one.
    """
    baseline = float(outcomes.mean()) if len(outcomes) else NAN
    if len(positions) == 0:
        return EventStudy(0, NAN, NAN, NAN, baseline, NAN, NAN, NAN, NAN)
    found = outcomes[positions]
    is_event = np.zeros(len(outcomes))
    is_event[positions] = 1.0
    spectrum = np.conj(fft.rfft(is_event)) * fft.rfft(outcomes - baseline)
    distance = np.abs(fft.irfft(spectrum, len(outcomes))) / len(positions)
    # The transform rounds: what differs by less is a tie, as the shift of 0 with itself.
    rounding = 1e-12 * float(np.abs(outcomes - baseline).max())
    p_value = float((distance >= distance[0] - rounding).mean())
    low, high = bootstrap_mean_interval(found, generator)
    return EventStudy(
        len(found),
        float(found.mean()),
        float(np.median(found)),
        float((found > 0).mean()),
        baseline,
        float(found.mean()) - baseline,
        low - baseline,
        high - baseline,
        p_value,
    )
