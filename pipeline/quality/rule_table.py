"""Write the table of every rule into ``docs/runbook.md``, from the suites themselves."""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.files import write_bytes_atomically
from pipeline.quality.definitions import Definition, rule_definitions

BEGIN, END = "<!-- rules: written by `make dictionary` -->", "<!-- end of rules -->"


def _row(rule: Definition) -> str:
    return (
        f'| <a id="{rule.check_id}"></a>`{rule.check_id}` | {rule.severity} | {rule.sentence} '
        f"| [{rule.family}](#gate-{rule.family}) | {rule.owner} |"
    )


def render_rules() -> str:
    """Return the table as Markdown, between its markers."""
    return "\n".join(
        [
            BEGIN,
            "",
            "| rule | severity | what must hold | family | owner |",
            "|---|---|---|---|---|",
            *map(_row, rule_definitions()),
            "",
            END,
        ]
    )


def write_rules(page: Path) -> None:
    """Put the table between the markers of a page.

    Raises:
        ValueError: The page has no such markers.
    """
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"{page} has no {BEGIN} ... {END}; put the markers back")
    write_bytes_atomically(page, f"{before}{render_rules()}{after}".encode())


if __name__ == "__main__":
    write_rules(Path(sys.argv[1]))
