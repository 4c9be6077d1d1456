"""Where the figures are from: sources, freshness, checks, runs."""

from __future__ import annotations

from typing import Any

from pipeline.report.blocks import Block, Column, Page, Table, Words
from pipeline.report.figures import UNKNOWN, day, instant, is_known, plural
from pipeline.report.pages.shared import shown_or_missing
from pipeline.report.reading import Reader


def data(reader: Reader) -> Page:
    """Return the page of data and quality."""
    return Page(
        "data",
        "Data",
        _lead(reader),
        [
            _about(reader),
            _audits(reader),
            _checks(reader),
            _sources(reader),
            _freshness(reader),
            _quarantine(reader),
            _runs(reader),
            _steps(reader),
            _timings(reader),
        ],
        menu="Data",
    )


def _lead(reader: Reader) -> str:
    about = reader.row("about")
    if not about:
        return "The file does not say what it is."
    missing = about["degraded_feeds"]
    without = f" without {missing}" if is_known(missing) else ""
    return (
        f"This file describes {day(about['market_date'])}{without}; it was built on "
        f"{instant(about['built_at'])}."
    )


def _about(reader: Reader) -> Block:
    about: dict[str, Any] = reader.row("about")
    known = about.get("known_by")
    parts = [
        f"Run {about.get('run_id', UNKNOWN)}, Tidemark "
        f"{about.get('tidemark_version', UNKNOWN)}, code "
        f"{str(about.get('code_commit') or UNKNOWN)[:12]}, rulebook "
        f"{about.get('rulebook_version', UNKNOWN)}.",
        f"Digest of all inputs: {about.get('input_digest', UNKNOWN)}. The same inputs give "
        "the same "
        "figures, so anybody can build this file again.",
    ]
    if is_known(known):
        parts.append(f"Built as things were known on {instant(known)}.")
    return Words("about", "This file", parts)


def _audits(reader: Reader) -> Block:
    frame = reader.rows("audit_failed")
    if frame.empty:
        return Words("audit_failed", "Audits of this file", ["Every audit passed."])
    return Table(
        "audit_failed",
        f"{plural(len(frame), 'audit')} of this file did not pass",
        "A critical one would have kept the file of the night before",
        [
            Column("audit", "Audit", "code"),
            Column("severity", "Severity", "words"),
            Column("status", "Result", "words"),
            Column("bad_count", "Rows", "whole"),
            Column("sentence", "What should hold"),
            Column("example", "Such as"),
        ],
        frame,
        reader.origin("audit_failed"),
    )


def _checks(reader: Reader) -> Block:
    frame = reader.rows("check_failed")
    if frame.empty:
        return Words("check_failed", "Checks of the data", ["Every rule of the gate passed."])
    return Table(
        "check_failed",
        f"{plural(len(frame), 'rule')} of the gate did not pass on "
        f"{day(frame['market_date'].max())}",
        "A critical failure sends a dataset to its next source; a warning tells",
        [
            Column("dataset", "Dataset", "code"),
            Column("source", "Source"),
            Column("severity", "Severity", "words"),
            Column("sentence", "What should hold"),
            Column("bad_count", "Bad", "whole"),
            Column("total_count", "Of", "whole"),
        ],
        frame,
        reader.origin("check_failed"),
    )


def _sources(reader: Reader) -> Block:
    return shown_or_missing(
        "source_night",
        "Sources last night",
        reader.rows("source_night"),
        "No night has asked a source yet: the file was made from imports.",
        lambda rows: Table(
            "source_night",
            f"{int((rows['status'] == 'answered').sum())} of {plural(len(rows), 'source')} "
            "answered",
            "The night's requests; a source that fell back was replaced by the next in line",
            [
                Column("feed", "Feed", "code"),
                Column("source", "Source"),
                Column("preference_rank", "In line", "whole"),
                Column("status", "Result", "words"),
                Column("reason", "Why"),
                Column("row_count", "Rows", "whole"),
                Column("call_count", "Calls", "whole"),
                Column("byte_count", "Bytes", "whole"),
                Column("seconds", "Seconds", "number"),
            ],
            rows,
            reader.origin("source_night"),
        ),
    )


def _freshness(reader: Reader) -> Block:
    frame = reader.rows("freshness")
    served = frame[frame["newest_date"].notna() | frame["is_due"]]
    return shown_or_missing(
        "freshness",
        "Freshness",
        served,
        "There is no dataset yet.",
        lambda rows: Table(
            "freshness",
            f"{int((rows['state'] == 'fresh').sum())} of {plural(len(rows), 'source')} are fresh",
            "The newest day of each source, and the one that should be there",
            [
                Column("dataset", "Dataset", "code"),
                Column("source", "Source"),
                Column("newest_date", "Newest", "day"),
                Column("expected_date", "Expected", "day"),
                Column("age_days", "Days late", "whole"),
                Column("state", "State", "words"),
                Column("signal_ids", "Needed by"),
            ],
            rows,
            reader.origin("freshness"),
        ),
    )


def _quarantine(reader: Reader) -> Block:
    frame = reader.rows("quarantine")
    if frame.empty:
        return Words("quarantine", "Quarantine", ["No row was kept out in the last 30 days."])
    return Table(
        "quarantine",
        f"{int(frame['row_count'].sum()):,} rows were kept out in the last 30 days",
        "By the rule that they broke; released rows were put back after a look",
        [
            Column("market_date", "Night", "day"),
            Column("dataset", "Dataset", "code"),
            Column("rule_id", "Rule", "code"),
            Column("status", "Status", "words"),
            Column("row_count", "Rows", "whole"),
            Column("open_count", "Open", "whole"),
            Column("released_count", "Released", "whole"),
        ],
        frame,
        reader.origin("quarantine"),
    )


def _runs(reader: Reader) -> Block:
    return shown_or_missing(
        "run",
        "Runs",
        reader.rows("run"),
        "No run has been recorded.",
        lambda rows: Table(
            "run",
            f"The last {plural(len(rows), 'run')}",
            "Newest first",
            [
                Column("run_id", "Run", "code"),
                Column("kind", "Kind", "words"),
                Column("market_date", "Day", "day"),
                Column("started_at", "Began", "instant"),
                Column("status", "Ended", "words"),
                Column("degraded_feeds", "Without"),
                Column("added_count", "New rows", "whole"),
                Column("revised_count", "Revised", "whole"),
                Column("quarantined_count", "Kept out", "whole"),
            ],
            rows,
            reader.origin("run"),
            most_rows=20,
        ),
    )


def _steps(reader: Reader) -> Block:
    return shown_or_missing(
        "run_step",
        "Steps",
        reader.rows("run_step"),
        "No run has noted how long its steps took.",
        lambda rows: Table(
            "run_step",
            f"The longest step was {rows['step'].iloc[0]}: "
            f"{rows['longest_seconds'].iloc[0]:,.1f} seconds",
            "Steps of the last 14 days; those of this night from its build on come tomorrow",
            [
                Column("step", "Step", "code"),
                Column("run_count", "Runs", "whole"),
                Column("attempt_count", "Tries", "whole"),
                Column("median_seconds", "Seconds, median", "number"),
                Column("longest_seconds", "Seconds, longest", "number"),
                Column("rows_out_count", "Rows stored", "whole"),
            ],
            rows,
            reader.origin("run_step"),
        ),
    )


def _timings(reader: Reader) -> Block:
    return shown_or_missing(
        "model_timing",
        "Timings",
        reader.rows("model_timing"),
        "The build did not keep its timings.",
        lambda rows: Table(
            "model_timing",
            f"The slowest model took {rows['seconds'].iloc[0]:.1f} seconds",
            "Models of this build",
            [
                Column("model", "Model", "code"),
                Column("seconds", "Seconds", "number"),
                Column("row_count", "Rows", "whole"),
            ],
            rows,
            reader.origin("model_timing"),
        ),
    )
