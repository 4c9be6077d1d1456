"""The pages of ``docs/signals/``, written from the same metadata as the tables.

``python -m pipeline.signal_docs FOLDER`` writes an index and a page per signal.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping
from pathlib import Path

from pipeline.files import write_bytes_atomically
from pipeline.models import ColumnDoc, Model, Project, load_project
from pipeline.settings import Settings

DEFINITIONS = "reference.signal_definition"
QUALITY = "signals.signal_quality"
CLAIMS = "reference.claim"
# Tables of all signals together, which no page of one signal names.
SHARED_TABLES = (
    "signals.signal_daily",
    "signals.signal_block",
    "signals.claim_check",
    "signals.claim_evidence",
    "signals.input_daily",
)

_MARK = """\
<!-- Written by `python -m pipeline.signal_docs docs/signals`. Do not edit: edit
     sql/reference/signal_definition.csv and the .yml beside the model. -->
"""
_DIRECTIONS = {
    "1": "More is more appetite for risk.",
    "-1": "More is less appetite for risk.",
    "0": "It has no direction, so it is not tested as a forecast.",
}


def render_pages(project: Project) -> dict[str, str]:
    """Return every page as Markdown by its file name, the index as ``README.md``.

    Args:
        project: The shipped SQL, without a user's own rows.
    """
    signals = _csv_rows(project.models[DEFINITIONS])
    pages = {"README.md": _index(signals)}
    for signal in signals:
        pages[_file_name(signal)] = _page(signal, project)
    return pages


def _csv_rows(model: Model) -> list[dict[str, str]]:
    with model.path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _file_name(signal: Mapping[str, str]) -> str:
    return f"{signal['signal_id'].lower()}_{signal['slug']}.md"


def _index(signals: list[dict[str, str]]) -> str:
    rows = "\n".join(
        f"| [{signal['signal_id']}]({_file_name(signal)}) | {signal['title']} "
        f"| {signal['entity_kind']} | {signal['unit']} | {signal['required_inputs']} |".replace(
            ";", ", "
        )
        for signal in signals
    )
    return f"""\
# Signals

{_MARK}
One page per signal. All daily ones are rows of `signals.signal_daily`; what followed them is in
`signals.signal_quality`. On the command line: `tidemark signal S03`.

| id | what it is | one series per | unit | inputs |
| --- | --- | --- | --- | --- |
{rows}
"""


def _page(signal: Mapping[str, str], project: Project) -> str:
    model = project.models[signal["table_name"]]
    (value,) = [c for c in model.doc.columns if c.name == signal["value_column"]]
    parts = [
        f"# {signal['signal_id']}: {signal['title']}\n",
        _MARK,
        f"{model.doc.description}\n",
        _facts(signal, value),
        "## Columns\n",
        f"`{model.name}`: one row per {', '.join(model.doc.grain)}.\n",
        _columns(model.doc.columns),
        _related(model, project),
        "## Quality\n",
        _quality(signal, project),
        _claims(signal, project),
    ]
    return "\n".join(part for part in parts if part)


def _facts(signal: Mapping[str, str], value: ColumnDoc) -> str:
    where = (
        "`signals.signal_daily`, with percentile, robust z, state and confidence"
        if signal["is_daily"] == "true"
        else "its own table only, as it is no figure of every day"
    )
    window = {"": "all history", "0": "the day alone"}.get(
        signal["window_days"], f"{signal['window_days']} days"
    )
    rows = [
        ("Value", f"`{value.name}`: {value.meaning} ({value.unit})"),
        ("Series", f"one per {signal['entity_kind']}"),
        ("Direction", _DIRECTIONS[signal["orientation"]]),
        ("Looks back", window),
        ("Needs", signal["required_inputs"].replace(";", ", ")),
        (
            "Observations",
            f"insufficient below {signal['minimum_observations']}; a percentile from "
            f"{signal['percentile_observations']} on",
        ),
        ("Full confidence", f"from {signal['full_observations']} observations on"),
        ("The same value", _rest(signal["identical_days"])),
        ("States", signal["thresholds"]),
        ("Published in", where),
        ("Version", signal["version"]),
    ]
    lines = "\n".join(f"| {name} | {_cell(text)} |" for name, text in rows)
    return f"| | |\n| --- | --- |\n{lines}\n"


def _rest(identical_days: str) -> str:
    if not identical_days:
        return "may rest"
    return f"more than {identical_days} times in a row is a frozen source: implausible"


def _columns(columns: tuple[ColumnDoc, ...]) -> str:
    lines = "\n".join(
        f"| `{c.name}` | `{c.type}` | {_cell(c.meaning)} | {_cell(c.unit)} |" for c in columns
    )
    return f"| column | type | meaning | unit |\n| --- | --- | --- | --- |\n{lines}\n"


def related_tables(model: Model, project: Project) -> list[str]:
    """Return the published tables of signals that a signal's table is made from, or makes.

    Working tables between them are passed through; tables of all signals are left out.
    """

    def near(steps: Mapping[str, set[str]]) -> set[str]:
        found, pending = set(), set(steps.get(model.name, ()))
        while pending:
            name = pending.pop()
            table = project.models.get(name)
            if table is None or not name.startswith("signals.") or name in SHARED_TABLES:
                continue
            if table.doc.is_published:
                found.add(name)
            elif not name.startswith("signals.signal_"):
                pending |= steps.get(name, set())
        return found

    parents = {name: set(table.parents) for name, table in project.models.items()}
    children: dict[str, set[str]] = {}
    for name, above in parents.items():
        for parent in above:
            children.setdefault(parent, set()).add(name)
    return sorted((near(parents) | near(children)) - {model.name, QUALITY})


def _related(model: Model, project: Project) -> str:
    tables = related_tables(model, project)
    if not tables:
        return ""
    lines = "\n".join(f"- `{name}`: {_sentence(project.models[name])}" for name in tables)
    return f"## Tables beside it\n\n{lines}\n"


def _sentence(model: Model) -> str:
    """Return the first sentence of a table's description."""
    return " ".join(model.doc.description.split()).split(". ")[0].rstrip(".") + "."


def _quality(signal: Mapping[str, str], project: Project) -> str:
    doc = project.models[QUALITY].doc
    if signal["is_daily"] != "true" or signal["orientation"] == "0":
        return f"Not tested: {QUALITY} is of daily signals that have a direction.\n"
    shown = [c for c in doc.columns if c.name not in {"signal_id", "first_date", "last_date"}]
    return f"{doc.description}\n\n`{QUALITY}` has of it:\n\n{_columns(tuple(shown))}"


def _claims(signal: Mapping[str, str], project: Project) -> str:
    """Return the claims that its table decides."""
    rows = [
        row
        for row in _csv_rows(project.models[CLAIMS])
        if signal["table_name"] in row["needs"].split(";")
    ]
    if not rows:
        return ""
    lines = "\n".join(f"- {row['claim_id']}: {row['wording']}. {row['reading']}." for row in rows)
    return f"## Claims that it decides\n\n{lines}\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> None:
    """Write the pages of the shipped signals into the folder named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in render_pages(load_project(Settings().sql_dir)).items():
        write_bytes_atomically(folder / name, text.encode())


if __name__ == "__main__":
    main()
