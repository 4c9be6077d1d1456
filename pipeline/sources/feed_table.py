"""Write the tables of feeds and vendors into ``docs/sources.md``, from the registry itself."""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.files import write_bytes_atomically
from pipeline.sources.base import Source
from pipeline.sources.registry import FEEDS, Feed
from pipeline.sources.vendors import VENDORS, Vendor

BEGIN, END = "<!-- feeds: written by `make dictionary` -->", "<!-- end of feeds -->"


def _source(source: Source) -> str:
    notes = ["by date" if source.kind == "by_date" else "now only"]
    if source.earliest_date is not None:
        notes.append(f"from {source.earliest_date}")
    if source.available_hours:
        notes.append(f"complete {source.available_hours:g} h after the close")
    if source.payloads_of is not None:
        notes.append(f"reads the files of `{source.payloads_of}`")
    if VENDORS[source.vendor].needs_key:
        notes.append("needs a key")
    if source.is_opt_in:
        notes.append("opt-in")
    return f"`{source.name}` ({', '.join(notes)})"


def _feed(feed: Feed) -> str:
    when = "each night" if feed.is_nightly else "backfill only"
    if feed.lag_days:
        when += f", {feed.lag_days} day late"
    effect = "no night without it" if feed.is_blocking else "degrades"
    sources = "; then ".join(_source(source) for source in feed.sources)
    return f"| `{feed.name}` | {sources} | {when} | {effect if feed.is_nightly else '-'} |"


def _vendor(vendor: Vendor) -> str:
    budget = f"{vendor.calls_per_minute:,} a minute"
    if vendor.calls_per_month is not None:
        budget += f", {vendor.calls_per_month:,} a month"
    key = "none"
    if vendor.key_setting is not None:
        needed = "needed" if vendor.needs_key else "optional"
        key = f"`TIDEMARK_{vendor.key_setting.upper()}`, {needed}"
    return f"| `{vendor.name}` | {vendor.base_url} | {budget} | {key} | {vendor.licence} |"


def render_feeds() -> str:
    """Return both tables as Markdown, between their markers."""
    return "\n".join(
        [
            BEGIN,
            "",
            "| feed | sources, in the order in which they are asked | when | without it |",
            "|---|---|---|---|",
            *map(_feed, FEEDS),
            "",
            "| vendor | address | our budget of calls | key | licence |",
            "|---|---|---|---|---|",
            *map(_vendor, VENDORS.values()),
            "",
            END,
        ]
    )


def replace_feeds(page: str) -> str:
    """Return a page with the text between the markers renewed.

    Raises:
        ValueError: The page does not have both markers, once each.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page needs {BEGIN} and {END}")
    return before + render_feeds() + after


def main() -> None:
    """Renew the page that is named on the command line."""
    path = Path(sys.argv[1])
    write_bytes_atomically(path, replace_feeds(path.read_text(encoding="utf-8")).encode())


if __name__ == "__main__":
    main()
