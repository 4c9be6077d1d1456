"""The fault matrix: every fault at every endpoint through the real pipeline, as a page.

``make fault-matrix`` runs this and writes ``docs/fault_matrix.md``.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

from fault_bench import ONCE, Bench, Outcome, Place, faults_of, nightly, open_bench

PAGE = Path(__file__).parents[2] / "docs" / "fault_matrix.md"
Key = tuple[Place, str]

MARKET_FEEDS = tuple(
    feed.name
    for feed in nightly()
    if feed.dataset
    in {
        "market_daily",
        "global_daily",
        "stablecoin_daily",
        "equity_daily",
        "sentiment_daily",
        "onchain_daily",
        "exchange_balance_daily",
        "exchange_flow_daily",
    }
)
VENUE_FEEDS = tuple(feed.name for feed in nightly() if feed.name not in MARKET_FEEDS)

# Each table of the page: its title, and its columns with the faults that share one.
TABLES: tuple[tuple[str, dict[str, tuple[str, ...]]], ...] = (
    (
        "Refusals and broken connections",
        {
            "refused": ("status_402", "status_403", "status_404", "status_418", "status_451"),
            "too many": (
                "status_429",
                "status_429_float",
                "status_429_date",
                "status_429_none",
                "status_429_reset",
            ),
            "server's fault": ("status_500", "status_502", "status_503", "status_504"),
            "too late": ("slow", "slow_drip", "timeout"),
            "cut off": ("cut_connection", "reset"),
            "once only": ONCE,
        },
    ),
    (
        "A body in another shape",
        {
            fault: (fault,)
            for fault in (
                "html_200",
                "truncated",
                "empty_list",
                "renamed_field",
                "extra_field",
                "partial_last_row",
                "missing_page",
                "repeat_page",
                "wrong_checksum",
                "gzip_bomb",
            )
        },
    ),
    (
        "The right shape with wrong figures",
        {
            fault: (fault,)
            for fault in (
                "nan",
                "null_caps",
                "zero_caps",
                "negative_caps",
                "duplicate_ids",
                "unit_slip",
                "stale_stamp",
                "yesterday_body",
                "wrong_date",
            )
        },
    ),
)

_INTRODUCTION = """# The fault matrix

What becomes of a night's load when a vendor misbehaves. Each row is an endpoint that a source of
a feed asks, each column a fault of the simulated vendors (`pipeline/sandbox/fault_names.py`). The
fault was put on that endpoint alone, the sources that the feed asks before it were silenced, and
the feed was extracted, checked and loaded after a healthy night before. `make fault-matrix` writes
this page, and the slow tests hold it against what they find.

| word | what it means |
|---|---|
| retried | the next attempt was answered, and all is as on any other night |
| fell back | another source of the feed served the night; nothing of this one was stored |
| degraded | the feed has nothing tonight, the mail says so, the rest of the night is published |
| stopped | there is no night without it; the published file stays as it was |
| quarantined | rows that cannot be true were kept out, the rest is right |
| with gaps | some rows or figures are missing, those that are there are right |
| as usual | the fault changes nothing that is read |
| as sent | a wrong figure was stored: a known limit, told at the end |

In every other case each stored figure is the one that the healthy vendor serves. Whatever came was
landed before it was read, no other error than Tidemark's own came up, and each error names the day
and what to do next.

The simulated market is small; so that every list that is asked page by page has several pages, the
pages are made smaller for this (`SMALL_PAGES` in `tests/faults/fault_bench.py`). Bybit's ratio has
pages too, but the days that are asked for always fit one answer.
"""

KNOWN_LIMITS: frozenset[tuple[str, str, str]] = frozenset()
"""Cases in which a wrong figure is stored."""

_GIVEN_AWAY: tuple[tuple[str, str, str], ...] = (
    (
        "`yesterday_body` of candles and of Binance's funding, of liquidations at Coinalyze",
        (
            "a day counts once the answer has something of the day after, as it does a minute "
            "after midnight (`finished_days`)"
        ),
        "-",
    ),
    (
        "`yesterday_body` at Bybit",
        "the time in the answer is before the close",
        "-",
    ),
    (
        "`yesterday_body` at OKX and Gate, which say neither",
        (
            "most of the day is told as in the answer landed the night before, when it was "
            "running, and nothing is told of the day after"
        ),
        "a copy made at another hour than that night's, or on the first night",
    ),
    (
        "`stale_stamp` of `/cexs`, which has no stamp",
        "most balances are those of one of the nights before (`not_earlier_again`)",
        "a copy from more than a week ago, or of a night that was not loaded: stored as sent",
    ),
    (
        "`zero_caps` and `negative_caps` of funding, scores and liquidations",
        (
            "the days told again contradict what is stored of them (`past_days_stand`); Gate"
            " tells a size beside dollars of 0; a score does not fall to 0 in a day"
            " (`no_sudden_zero`)"
        ),
        (
            "one rate or amount of tonight alone that is 0, or a rate below it: 0 is an amount, a "
            "rate may be negative. Should the vendor say otherwise within ten days, it comes in "
            "as a revision"
        ),
    ),
    (
        "`zero_caps` of exchange balances",
        "the token is worth something in `tokensInUsd`",
        "units and dollars that are both 0: a wallet may be empty",
    ),
    (
        "`renamed_field` of exchange balances, where names are data",
        "no token is named alike in `tokens` and `tokensInUsd`",
        "one token that is renamed in both: it is another token",
    ),
    (
        "one settlement of funding that is left out",
        "nothing: intervals differ between perpetuals, and change",
        "the sum of a day without it, until it comes in as a revision within ten days",
    ),
)
"""Of the faults that no single answer shows: what does show them, and what nothing would."""

_CONCLUSION = """## What nothing could give away

A figure that is possible, in an answer of tonight, and wrong alone. What makes the cases above come
out is that a fault seldom comes alone:

| fault | what gives it away | what would not be seen |
|---|---|---|
"""


def find(bench: Bench, feed: str) -> dict[Key, Outcome]:
    """Put every fault on every endpoint of a feed."""
    return {
        (place, fault): bench.run(place, fault)
        for place in bench.places
        if place.feed == feed
        for fault in faults_of(place.endpoint)
    }


def complaints(found: Mapping[Key, Outcome]) -> list[str]:
    """Return every promise that was broken, and every wrong figure."""
    said = []
    for (place, fault), outcome in found.items():
        where = f"{place.feed} {place.source} {place.endpoint} {fault}"
        said += [f"{where}: {broken}" for broken in outcome.broken]
        if bool(outcome.wrong) != ((place.feed, place.endpoint, fault) in KNOWN_LIMITS):
            said.append(f"{where}: {outcome.wrong or 'is no limit any more'}")
    return said


def words_of(found: Mapping[Key, Outcome]) -> dict[Key, str]:
    return {key: outcome.word for key, outcome in found.items()}


def _cell(words: Mapping[str, str]) -> str:
    """Return the outcomes of a column: one word, or each word with its faults."""
    if not words:
        return "-"
    by_word: dict[str, list[str]] = {}
    for fault, word in words.items():
        by_word.setdefault(word, []).append(fault)
    if len(by_word) == 1:
        return next(iter(by_word))
    return "; ".join(f"{word} ({', '.join(faults)})" for word, faults in by_word.items())


def _read_cell(cell: str, faults: Iterable[str]) -> dict[str, str]:
    if cell == "-":
        return {}
    if "(" not in cell:
        return dict.fromkeys(faults, cell)
    parts = [part.rstrip(")").split(" (") for part in cell.split("; ")]
    return {fault: word for word, names in parts for fault in names.split(", ")}


def render(words: Mapping[Key, str]) -> str:
    """Return the page."""
    order = [(feed.name, source.name) for feed in nightly() for source in feed.sources]
    places = sorted(
        {place for place, _ in words},
        key=lambda place: (order.index((place.feed, place.source)), place.endpoint),
    )
    lines = [_INTRODUCTION]
    for title, columns in TABLES:
        lines += [f"## {title}", ""]
        lines.append(f"| feed | source | endpoint | {' | '.join(columns)} |")
        lines.append("|---|---|---|" + "---|" * len(columns))
        for place in places:
            cells = [
                _cell({fault: words[place, fault] for fault in faults if (place, fault) in words})
                for faults in columns.values()
            ]
            named = f"`{place.feed}` | `{place.source}` | `{place.endpoint}`"
            lines.append(f"| {named} | {' | '.join(cells)} |")
        lines.append("")
    lines.append(_CONCLUSION + "\n".join(f"| {' | '.join(row)} |" for row in _GIVEN_AWAY))
    return "\n".join(lines) + "\n"


@cache
def read_page(page: Path = PAGE) -> dict[Key, str]:
    """Return the outcome of every case, as the page has it."""
    columns_of = dict(TABLES)
    columns: dict[str, tuple[str, ...]] = {}
    words: dict[Key, str] = {}
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            columns = columns_of.get(line.removeprefix("## "), {})
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if not columns or not cells[0].startswith("`"):
            continue
        place = Place(*(cell.strip("` ") for cell in cells[:3]))
        for faults, cell in zip(columns.values(), cells[3:], strict=True):
            words |= {(place, fault): word for fault, word in _read_cell(cell, faults).items()}
    return words


def _find_in_process(feeds: tuple[str, ...]) -> dict[Key, Outcome]:
    logging.disable(logging.CRITICAL)
    found: dict[Key, Outcome] = {}
    with tempfile.TemporaryDirectory() as folder, open_bench(Path(folder), feeds) as bench:
        for feed in feeds:
            found |= find(bench, feed)
    return found


def main() -> int:
    """Write the page; 1 where a promise was broken."""
    with ProcessPoolExecutor(max_workers=2) as pool:
        halves = list(pool.map(_find_in_process, (MARKET_FEEDS, VENUE_FEEDS)))
    found = halves[0] | halves[1]
    PAGE.write_text(render({key: outcome.word for key, outcome in found.items()}), encoding="utf-8")
    said = complaints(found)
    sys.stderr.write("".join(f"{complaint}\n" for complaint in said))
    return bool(said)


if __name__ == "__main__":
    sys.exit(main())
