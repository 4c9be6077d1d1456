"""What the mail about a failed run says."""

from __future__ import annotations

from datetime import date
from html import escape
from typing import Literal, NamedTuple

from pipeline import __version__
from pipeline.alerts.mail import one_line, printable

SENTENCE_MAX_CHARACTERS = 110
ERROR_MAX_CHARACTERS = 4_000

_Section = tuple[str, Literal["p", "pre"], str]

_HEAD = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<style>
:root { color-scheme: light dark; }
h1 { font-size: 20px; line-height: 1.35; margin: 0 0 20px; }
h2 { font-size: 14px; margin: 20px 0 4px; }
p, pre { font-size: 15px; line-height: 1.5; margin: 0; overflow-wrap: anywhere; }
pre { font-size: 13px; white-space: pre-wrap; }
.foot { font-size: 12px; margin-top: 28px; opacity: 0.75; }
</style>
</head>
"""


class FailureMail(NamedTuple):
    """A composed mail: its subject, its plain text, and the same facts as HTML."""

    subject: str
    text: str
    html: str


def compose_failure(
    *,
    run_id: str,
    market_date: date,
    step: str,
    error: str,
    published_as_of: date | None,
    what_next: str,
    is_published: bool = False,
) -> FailureMail:
    """Compose the mail about a run in which a step failed.

    Args:
        run_id: The run that failed.
        market_date: UTC day that it was for.
        step: The dataset or the step that failed, such as ``market_daily`` or ``audit``.
        error: The error as raised; its first line becomes the sentence. May quote
            vendors' bytes: it is escaped here.
        published_as_of: The newest day that readers still see, or None when nothing has
            been published yet.
        what_next: What to do now, in a line or two.
        is_published: Whether the run published all the same, without what failed.

    Returns:
        Subject, text and HTML.
    """
    sentence = _first_sentence(error)
    if is_published:
        level, published, stays = "WARNING", "the run published the rest", "the rest is published"
    else:
        level, published = "CRITICAL", "this run published nothing"
        stays = "last good data stays published" if published_as_of else "nothing is published yet"
    headline = one_line(f"{step} {market_date}: {sentence}")
    sections: tuple[_Section, ...] = (
        ("What readers see", "p", _what_readers_see(published_as_of, is_published)),
        ("What to do", "p", printable(what_next).strip()),
        ("What failed", "p", f"Step {step} for {market_date}; {published}."),
        ("The error", "pre", _cut(printable(error).strip(), ERROR_MAX_CHARACTERS)),
    )
    foot = (
        f"Run {one_line(run_id)} · Tidemark {__version__} · "
        "TIDEMARK_ALERT_TO sets who gets this mail."
    )
    return FailureMail(
        subject=f"[Tidemark] {level} {headline}; {stays}",
        text=_as_text(headline, sections, foot),
        html=_as_html(headline, sections, foot),
    )


def _first_sentence(error: str) -> str:
    lines = [one_line(line) for line in error.strip().splitlines()]
    first = next((line for line in lines if line), "failed without saying why")
    return one_line(first.rstrip("."), SENTENCE_MAX_CHARACTERS)


def _what_readers_see(published_as_of: date | None, is_published: bool) -> str:
    if published_as_of is None:
        return "Nothing: no build has been published yet."
    if is_published:
        return f"The new build, complete to {published_as_of}, without what failed."
    return f"The last good build, complete to {published_as_of}. It is unchanged."


def _cut(text: str, max_characters: int) -> str:
    if len(text) <= max_characters:
        return text
    return text[:max_characters] + "\n… cut here; the run's log has the rest."


def _as_text(headline: str, sections: tuple[_Section, ...], foot: str) -> str:
    body = "\n\n".join(f"{title}\n{content}" for title, _, content in sections)
    return f"{headline}\n\n{body}\n\n-- \n{foot}\n"


def _as_html(headline: str, sections: tuple[_Section, ...], foot: str) -> str:
    body = "".join(
        f"<h2>{escape(title)}</h2>\n<{tag}>{escape(content)}</{tag}>\n"
        for title, tag, content in sections
    )
    return (
        f'{_HEAD}<body style="margin:0;padding:24px;font-family:system-ui,sans-serif">\n'
        f'<div style="max-width:600px;margin:0 auto">\n<h1>{escape(headline)}</h1>\n{body}'
        f'<p class="foot">{escape(foot)}</p>\n</div>\n</body>\n</html>\n'
    )
