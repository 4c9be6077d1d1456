"""Sentences of alerts, made of error messages and rules."""

from __future__ import annotations

from pipeline import errors
from pipeline.alerts.mail import one_line

SENTENCE_MAX_CHARACTERS = 180
EXAMPLE_MAX_CHARACTERS = 240

_EXPLAINED = {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type)
    and issubclass(kind, errors.TidemarkError)
    and kind is not errors.TidemarkError
} | {"HttpStatusError"}


def first_sentence(error: str) -> str:
    """Return the first line of an error message that says anything, on one line."""
    lines = (one_line(line) for line in error.strip().splitlines())
    found = next((line for line in lines if line), "it failed without saying why")
    return one_line(found.rstrip("."), SENTENCE_MAX_CHARACTERS)


def other_lines(error: str) -> tuple[str, ...]:
    """Return the lines of an error message after the first."""
    lines = [line for line in (one_line(line) for line in error.strip().splitlines()) if line]
    return tuple(example(line) for line in lines[1:])


def example(text: str) -> str:
    """Return a vendor's text as one short line."""
    return one_line(text, EXAMPLE_MAX_CHARACTERS)


def error_anchor(kind: str) -> str:
    """Return where the runbook explains a class of error."""
    return kind.lower() if kind in _EXPLAINED else "alert-unexpected"


def rule_sentence(sentence: str) -> str:
    """Return a rule as part of a sentence about its breach."""
    return "“" + one_line(sentence).rstrip(".") + "”"
