"""Jinja as the mails and the report use it: foreign text is escaped, and nothing in it acts."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from pipeline.text import visible

_BLANKS = str.maketrans("\r\n\t", "   ")


def template_environment(package: str) -> Environment:
    """Return an environment of the templates of a package; those named ``.html.j2`` escape."""
    return Environment(
        loader=PackageLoader(package),
        autoescape=select_autoescape(("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=shown_text,
    )


def shown_text(value: Any) -> Any:
    """Spell out what could hide, reorder or begin a line in an inserted text; mark-up is ours."""
    if isinstance(value, Markup | int | float):
        return value
    return visible(str(value).translate(_BLANKS))
