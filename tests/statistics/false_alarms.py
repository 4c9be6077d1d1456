"""How often each published p-value cries wolf: ``make false-alarms`` writes the page."""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from false_alarm_cases import Case, cases
from scipy import stats

SEED_COUNT = 500
LEVEL = 0.05
PAGE = Path(__file__).resolve().parents[2] / "docs" / "false_alarms.md"
LEAST_TESTED_FRACTION = 0.8

_HEAD = """\
# False alarms

How often each published p-value is at or below 5 % on data in which there is nothing to find.
Each row is one kind of data, drawn 500 times with the seeds 0 to 499 and put through the
functions that make the table, with the table's own windows, resamples and least counts. The
rates are written by `make false-alarms`; `make test-long` draws them again.

A test of the level 5 % cries wolf 25 times in 500. From {low} to {high} times ({low_pct} to
{high_pct} %) is what chance explains with 99.9 %, and what the tests accept. Of a family of
adjusted p-values the least is counted, which may be rarer, never more frequent. A draw in which
the statistic says nothing (too few events, say) is no draw.

`difference_welch_p_value` takes days for independent, so it has no row of AR(1) data: there it
is too sure, and `difference_hac_p_value` stands beside it.

| p-value | data | draws | alarms | rate |
| --- | --- | --: | --: | --: |
"""


def accepted() -> tuple[int, int]:
    """Return the fewest and the most alarms in 500 draws that are chance.

    The ends of the two-sided binomial interval of 99.9 % about the nominal 5 %. Narrower,
    and one in twenty of a hundred sound tests would fail by chance alone; as it is one in a
    thousand does, and a test that rejects twice too often, in 50 of 500, fails for certain.
    """
    low, high = stats.binom.interval(0.999, SEED_COUNT, LEVEL)
    return int(low), int(high)


def count_alarms(case: Case) -> tuple[int, int]:
    """Return how many draws gave a p-value, and how many of those are at or below 5 %."""
    with np.errstate(all="raise"):
        p_values = np.array([case.p_value(np.random.default_rng(n)) for n in range(SEED_COUNT)])
    known = p_values[~np.isnan(p_values)]
    assert len(known) == 0 or (known.min() >= 0 and known.max() <= 1), case.name
    return len(known), int((known <= LEVEL).sum())


def is_nominal(case: Case, draw_count: int, alarm_count: int) -> bool:
    """Return whether so many alarms are what the level says, of enough draws to tell."""
    low, high = stats.binom.interval(0.999, max(draw_count, 1), LEVEL)
    is_told = draw_count >= LEAST_TESTED_FRACTION * SEED_COUNT
    return bool(is_told and alarm_count <= high and (case.is_family or alarm_count >= low))


def render(counted: list[tuple[Case, int, int]]) -> str:
    """Return the page."""
    low, high = accepted()
    head = _HEAD.format(
        low=low, high=high, low_pct=100 * low / SEED_COUNT, high_pct=100 * high / SEED_COUNT
    )
    rows = [
        f"| `{case.column}` | {case.noise} | {draws} | {alarms} | {100 * alarms / draws:.1f} % |"
        for case, draws, alarms in counted
    ]
    return head + "\n".join(rows) + "\n"


def count_all() -> list[tuple[Case, int, int]]:
    """Return every case with its draws and alarms, from two processes."""
    listed = cases()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        counts = pool.map(_count_nth, range(len(listed)))
        return [(case, *counted) for case, counted in zip(listed, counts, strict=True)]


def _count_nth(place: int) -> tuple[int, int]:
    return count_alarms(cases()[place])


def main() -> int:
    """Write the page; the exit code is 1 where a rate is not nominal."""
    counted = count_all()
    PAGE.write_text(render(counted), encoding="utf-8")
    wrong = [
        (case.name, draws, alarms)
        for case, draws, alarms in counted
        if not is_nominal(case, draws, alarms)
    ]
    for name, draws, alarms in wrong:
        print(f"not nominal: {name}: {alarms} of {draws}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
