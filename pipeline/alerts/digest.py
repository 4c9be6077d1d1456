"""What one mail says: the changes that are worth telling, made into words.

Nothing here knows of HTML or of mail; ``rendering`` puts the words into both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pipeline.alerts.links import Link, Links
from pipeline.alerts.mail import one_line
from pipeline.alerts.problem import EXAMPLES_MAX, KIND_WORDS, Family, Problem, Severity
from pipeline.alerts.state import Change, Record

SUBJECT_SENTENCE_MAX_CHARACTERS = 100

_MANY: dict[Family, str] = {
    "night": "nights have no answer",
    "step": "steps failed",
    "feed": "feeds have no rows",
    "audit": "audits are not passed",
    "gate": "rules of the gate are broken",
    "fallback": "feeds came from another source than usual",
    "restatement": "kinds of figures are restated",
}
_WEIGHTS: dict[Severity, str] = {
    "critical": "critical",
    "warning": "a warning",
    "info": "a remark",
}
_TRANSITIONS = {"new": "new", "back": "back again", "reminder": "still open"}


@dataclass(frozen=True)
class Item:
    """One problem of a mail, or many of one kind.

    Args:
        tone: critical, warning, info or good; the colour.
        title: The subject, or how many of what.
        sentence: What broke.
        labels: Severity, kind and what has changed, in words.
        facts: Rows, and since when.
        examples: Lines of foreign text.
        command: What tries again.
        links: Where more is.
    """

    tone: str
    title: str
    sentence: str
    labels: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    command: str = ""
    links: tuple[Link, ...] = ()


@dataclass(frozen=True)
class Digest:
    """Everything that one mail about a night says."""

    subject: str
    headline: str
    tone: str
    readers_see: str
    items: tuple[Item, ...] = ()
    recovered: tuple[Item, ...] = ()
    still_open: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()


@dataclass(frozen=True)
class Night:
    """What a digest is about.

    Args:
        market_date: The UTC day.
        run_id: The run, or None for what was found from outside.
        is_published: Whether the night is in front of readers.
        published_as_of: The newest day that readers see, or None before the first.
    """

    market_date: date
    run_id: str | None
    is_published: bool
    published_as_of: date | None


def compose_digest(
    night: Night,
    changes: Sequence[Change],
    open_records: Sequence[Record],
    links: Links,
    *,
    is_without: Sequence[str],
    roll_up_above: int,
) -> Digest:
    """Compose one mail.

    Args:
        night: What it is about.
        changes: What it tells, worst first, ends last; at least one.
        open_records: The open problems that concern its readers, told here or not.
        links: Where more is.
        is_without: The feeds that the night has nothing of.
        roll_up_above: More problems of one family, severity and kind become one line.
    """
    opened = [change for change in changes if change.transition != "recovered"]
    ended = [change for change in changes if change.transition == "recovered"]
    told = {change.record.problem.key for change in changes}
    title, tone = _title(night, opened, ended)
    return Digest(
        subject=f"[Tidemark] {title}; {_what_stays(night, opened)}",
        headline=title,
        tone=tone,
        readers_see=_readers_see(night, is_without),
        items=tuple(_items(opened, links, roll_up_above)),
        recovered=tuple(_ended(change, night.market_date) for change in ended),
        still_open=tuple(
            in_short(record) for record in open_records if record.problem.key not in told
        ),
        links=tuple(links.of_run()),
    )


def _title(night: Night, opened: Sequence[Change], ended: Sequence[Change]) -> tuple[str, str]:
    """Return the headline and the colour: the worst problem, or what is over."""
    if not opened:
        first = ended[0].record.problem
        more = _and_more(len(ended))
        return f"RECOVERED {first.subject} {night.market_date}{more}: it is right again", "good"
    first = opened[0].record.problem
    sentence = _cut(first.sentence)
    head = f"{first.severity.upper()} {first.kind} {first.subject} {night.market_date}"
    return f"{head}{_and_more(len(opened))}: {sentence}", first.severity


def _cut(sentence: str) -> str:
    """Return a sentence as the subject has room for it, in whole words."""
    whole = one_line(sentence)
    cut = one_line(sentence, SUBJECT_SENTENCE_MAX_CHARACTERS)
    if cut == whole:
        return whole
    words = cut.removesuffix("…")
    # Foreign text may be one word.
    return f"{words.rpartition(' ')[0].rstrip(',;:') or words}…"


def _and_more(count: int) -> str:
    return f" and {count - 1} more" if count > 1 else ""


def _what_stays(night: Night, opened: Sequence[Change]) -> str:
    if night.published_as_of is None:
        return "nothing is published yet"
    if not night.is_published:
        return "last good data stays published"
    is_partial = any(change.record.problem.family == "feed" for change in opened)
    return "the rest is published" if is_partial else "the night is published"


def _readers_see(night: Night, without: Sequence[str]) -> str:
    if night.published_as_of is None:
        return "Nothing: no build has been published yet."
    if not night.is_published:
        return f"The last good build, complete to {night.published_as_of}. It is unchanged."
    if not without:
        return f"The new build, complete to {night.published_as_of}."
    named = ", ".join(without[:EXAMPLES_MAX])
    if len(without) > EXAMPLES_MAX:
        named += f" and {len(without) - EXAMPLES_MAX} more"
    return f"The new build, complete to {night.published_as_of}, without tonight's {named}."


def _items(opened: Sequence[Change], links: Links, roll_up_above: int) -> list[Item]:
    groups: dict[tuple[str, ...], list[Change]] = {}
    for change in opened:
        problem = change.record.problem
        groups.setdefault((problem.severity, problem.kind, problem.family), []).append(change)
    items: list[Item] = []
    for group in groups.values():
        if len(group) > roll_up_above:
            items.append(_rolled_up(group, links))
        else:
            items += [_item(change, links) for change in group]
    return items


def _item(change: Change, links: Links) -> Item:
    problem = change.record.problem
    return Item(
        tone=problem.severity,
        title=problem.subject,
        sentence=_capital(problem.sentence),
        labels=(problem.severity, KIND_WORDS[problem.kind], _transition(change)),
        facts=tuple(fact for fact in (_rows(problem), _since(change.record)) if fact),
        examples=problem.examples,
        command=problem.rerun,
        links=links.of_problem(problem),
    )


def _capital(sentence: str) -> str:
    """Return a sentence as it begins a line; a name at its start stays as it is."""
    first = sentence.partition(" ")[0]
    return sentence if "_" in first else sentence[:1].upper() + sentence[1:]


def _rolled_up(group: Sequence[Change], links: Links) -> Item:
    problems = [change.record.problem for change in group]
    first = problems[0]
    bad_count = sum(problem.bad_count or 0 for problem in problems)
    named = ", ".join(problem.subject for problem in problems[:12])
    if len(problems) > 12:
        named += f" and {len(problems) - 12} more"
    reruns = {problem.rerun for problem in problems}
    return Item(
        tone=first.severity,
        title=f"{len(problems)} {_MANY[first.family]}",
        sentence=named,
        labels=(first.severity, KIND_WORDS[first.kind], _transitions(group)),
        facts=(f"{bad_count:,} bad rows in all",) if bad_count else (),
        examples=tuple(f"{p.subject}: {p.sentence}" for p in problems[:EXAMPLES_MAX]),
        command=reruns.pop() if len(reruns) == 1 else "",
        links=links.of_problem(first),
    )


def _transitions(group: Sequence[Change]) -> str:
    counts: dict[str, int] = {}
    for change in group:
        word = _TRANSITIONS.get(change.transition, "changed")
        counts[word] = counts.get(word, 0) + 1
    return ", ".join(f"{count} {word}" for word, count in counts.items())


def _transition(change: Change) -> str:
    if change.transition != "changed" or change.before is None:
        return _TRANSITIONS.get(change.transition, "changed")
    before, problem = change.before, change.record.problem
    was = []
    if before.mailed_severity not in (None, problem.severity):
        was.append(str(before.mailed_severity))
    if before.mailed_kind not in (None, problem.kind):
        was.append(KIND_WORDS[before.mailed_kind] if before.mailed_kind else "")
    if problem.band > before.mailed_band and before.problem.bad_count is not None:
        was.append(f"{before.problem.bad_count:,} rows")
    return f"changed, was {', '.join(was)}" if was else "changed"


def _rows(problem: Problem) -> str:
    if problem.bad_count is None:
        return ""
    if problem.total_count is None:
        return f"{problem.bad_count:,} {'row' if problem.bad_count == 1 else 'rows'}"
    return f"{problem.bad_count:,} of {problem.total_count:,} rows"


def _since(record: Record) -> str:
    if record.nights <= 1:
        return f"since {record.first_seen}"
    return f"since {record.first_seen}, on {record.nights} nights"


def _ended(change: Change, night: date) -> Item:
    record = change.before or change.record
    nights = "1 night" if record.nights == 1 else f"{record.nights} nights"
    return Item(
        tone="good",
        title=record.problem.subject,
        sentence=(
            f"right again on {night}; it was {_WEIGHTS[record.problem.severity]} for {nights}, "
            f"since {record.first_seen}"
        ),
    )


def in_short(record: Record) -> str:
    """Return an open problem as a line of a list."""
    problem = record.problem
    weight = [problem.severity, KIND_WORDS[problem.kind]]
    if problem.severity == "info":  # Nothing is wrong with the data, and all was checked.
        del weight[1:]
    return f"{problem.subject} ({', '.join([*weight, _since(record)])}): {problem.sentence}"
