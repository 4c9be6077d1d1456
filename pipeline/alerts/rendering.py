"""A mail's words as plain text and as HTML, from the templates beside this file."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, NamedTuple

from jinja2 import Environment
from markupsafe import Markup, escape

from pipeline.alerts.mail import CHART_ID
from pipeline.templates import shown_text, template_environment

_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})")
_UNBROKEN = Markup('<span class="day">{}</span>')
_BREAKABLE = Markup("_<wbr>")


class Mail(NamedTuple):
    """A composed mail: its subject, its plain text, and the same facts as HTML."""

    subject: str
    text: str
    html: str


@cache
def _environment() -> Environment:
    environment = template_environment("pipeline.alerts")
    environment.filters["unbroken"] = _unbroken
    environment.filters["heading"] = _heading
    return environment


def _unbroken(value: Any) -> Markup:
    """Return text as HTML in which no line ends at a hyphen of a day."""
    pieces = _DAY.split(shown_text(value))
    return Markup("").join(
        _UNBROKEN.format(piece) if place % 2 else escape(piece)
        for place, piece in enumerate(pieces)
    )


def _heading(value: Any) -> Markup:
    """Return text as ``_unbroken`` does; in large letters a name may need more than a line."""
    return _unbroken(value).replace("_", _BREAKABLE)


def render(template: str, subject: str, chart_alt: str | None = None, **words: Any) -> Mail:
    """Return the mail that the templates ``template`` make of ``words``.

    Args:
        template: Name of ``templates/<template>.txt.j2`` and ``.html.j2``.
        subject: The subject, as it goes into the header.
        chart_alt: What the picture shows, or None without one.
        words: What the templates show. Foreign text is escaped there.
    """
    given = {**words, "subject": subject, "chart_alt": chart_alt, "chart_id": CHART_ID}
    text = _environment().get_template(f"{template}.txt.j2").render(given)
    html = _environment().get_template(f"{template}.html.j2").render(given)
    return Mail(subject, text, html)
