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

_NO_LIQUIDATION = "0 says that nobody was liquidated"
_RATE = "a rate may be 0 or below"
_RUNNING = "yesterday's copy has the running value of the day under the day's own stamp"
_SCORE = "0 is a score like any other"
_SETTLED = "yesterday's copy has the day's first settlement, and a day may have only one"

KNOWN_LIMITS: dict[tuple[str, str, str], str] = {
    ("exchange_balance_daily", "defillama:protocol", "renamed_field"): (
        "the names are data: a token under another name is another token"
    ),
    ("exchange_balance_daily", "defillama:protocol", "zero_caps"): "a wallet may be empty",
    ("exchange_flow_daily", "defillama:cexs", "stale_stamp"): (
        "the body does not say when it was made; only a copy of the night before is recognised"
    ),
    ("funding_daily", "binance_futures:fundingRate", "negative_caps"): _RATE,
    ("funding_daily", "binance_futures:fundingRate", "yesterday_body"): _SETTLED,
    ("funding_daily", "binance_futures:fundingRate", "zero_caps"): _RATE,
    ("funding_daily.bybit", "bybit:funding/history", "negative_caps"): _RATE,
    ("funding_daily.bybit", "bybit:funding/history", "yesterday_body"): _SETTLED,
    ("funding_daily.bybit", "bybit:funding/history", "zero_caps"): _RATE,
    ("liquidation_daily", "coinalyze:liquidation-history", "yesterday_body"): _RUNNING,
    ("liquidation_daily", "coinalyze:liquidation-history", "zero_caps"): _NO_LIQUIDATION,
    ("liquidation_daily.gate", "gate:contract_stats", "yesterday_body"): _RUNNING,
    ("liquidation_daily.gate", "gate:contract_stats", "zero_caps"): _NO_LIQUIDATION,
    ("perp_daily", "binance_futures:klines", "yesterday_body"): _RUNNING,
    ("positioning_daily.bybit", "bybit:account-ratio", "yesterday_body"): _RUNNING,
    ("positioning_daily.gate", "gate:contract_stats", "yesterday_body"): _RUNNING,
    ("positioning_daily.okx", "okx:long-short-account-ratio", "yesterday_body"): _RUNNING,
    ("sentiment_daily", "alternative_me:fng", "zero_caps"): _SCORE,
    ("sentiment_daily.cmc_altcoin_season", "coinmarketcap:altcoin-season-index", "zero_caps"): (
        _SCORE
    ),
    ("sentiment_daily.cmc_fear_greed", "coinmarketcap:fear-and-greed", "zero_caps"): _SCORE,
}
"""Every case in which a wrong figure is stored, and why nothing in the body gives it away."""

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
| as sent | a wrong figure was stored: a known limit, listed at the end |

In every case whatever reached a parser was landed first, and no other error than Tidemark's own
came up. In every case but those at the end each stored figure is the one that the healthy vendor
serves.

The simulated market is small and fits one page of every list, so `missing_page` has nothing to take
here; the tests of each source have lists of several pages.
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
    """Return every promise that was broken, and every wrong figure that is no known limit."""
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
    lines += [
        "## Stored as sent",
        "",
        "Known limits. The nightly pull of the last ten days revises what a vendor says otherwise",
        "later, where it can be asked for a past day.",
        "",
        "| feed | endpoint | fault | why nothing gives it away |",
        "|---|---|---|---|",
    ]
    for (feed, endpoint, fault), why in sorted(KNOWN_LIMITS.items()):
        lines.append(f"| `{feed}` | `{endpoint}` | `{fault}` | {why} |")
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
