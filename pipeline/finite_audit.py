"""The audit that no published figure is NaN or an infinity: a select made from the models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipeline.database import quote, quote_name

if TYPE_CHECKING:
    from pipeline.models import Model, TableDoc

HOLDS_FOR = "every published double"


def tables_with_figures(models: Mapping[str, Model]) -> tuple[str, ...]:
    """Return the published tables that document a double, by name."""
    return tuple(
        name
        for name, model in sorted(models.items())
        if model.doc.is_published and _figures(model.doc)
    )


def select_unfit_figures(models: Mapping[str, Model]) -> str:
    """Return a select of the columns that hold NaN or an infinity.

    A hand-written select would miss the column that the next model adds; this one takes
    every column that a published ``.yml`` calls a double, and reads each table once.

    Args:
        models: Every model by name.

    Returns:
        SQL with one row per table_name and column_name that breaks the rule, and how many
        of its values do (unfit_count). Null is no number and breaks nothing.
    """
    parts = [_select(name, models[name].doc) for name in tables_with_figures(models)]
    nothing = "select '' as table_name, '' as column_name, 0 as unfit_count"
    counted = "\nunion all\n".join(parts or [nothing])
    return f"select * from (\n{counted}\n) as counted where unfit_count > 0 order by all"


def _figures(doc: TableDoc) -> list[str]:
    return [column.name for column in doc.columns if column.type == "double"]


def _select(table: str, doc: TableDoc) -> str:
    counts = ", ".join(
        f"{{'column_name': {quote(name)}, "
        f"'unfit_count': count(*) filter (where not isfinite({quote_name(name)}))}}"
        for name in _figures(doc)
    )
    return (
        f"select {quote(table)} as table_name, found.column_name, found.unfit_count "
        f"from (select unnest([{counts}]) as found from {table}) as figures"
    )
