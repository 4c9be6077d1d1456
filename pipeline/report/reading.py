"""The selects of ``sql/report/`` over the published file, each run once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from pipeline.errors import ConfigurationError
from pipeline.models import REPORT_FOLDER
from pipeline.report.blocks import Origin
from pipeline.report.figures import UNKNOWN, day, is_known

if TYPE_CHECKING:
    import duckdb

_DAYS = ("market_date", "session_date", "as_of_date", "event_date", "pivot_date")


class Reader:
    """Rows of the published file, by the name of their select."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, sql_dir: Path) -> None:
        self._connection = connection
        self._folder = sql_dir / REPORT_FOLDER
        self._frames: dict[str, pd.DataFrame] = {}

    def sql(self, name: str) -> str:
        """Return the text of a select.

        Raises:
            ConfigurationError: There is no such file.
        """
        path = self._folder / f"{name}.sql"
        if not path.is_file():
            raise ConfigurationError(f"there is no {path}; the report needs the shipped sql folder")
        return path.read_text(encoding="utf-8")

    def rows(self, name: str) -> pd.DataFrame:
        """Return the rows of a select, in its order. Do not change the frame.

        Raises:
            ConfigurationError: There is no such select, or the file lacks what it reads.
        """
        if name not in self._frames:
            import duckdb

            try:
                table = self._connection.execute(self.sql(name)).to_arrow_table()
            except duckdb.Error as exc:
                raise ConfigurationError(
                    f"the published file does not answer sql/report/{name}.sql ({exc}); build it "
                    "again with this version: tidemark build"
                ) from exc
            self._frames[name] = table.to_pandas(date_as_object=False)
        return self._frames[name]

    @property
    def names(self) -> frozenset[str]:
        """The selects that were run."""
        return frozenset(self._frames)

    def row(self, name: str) -> dict[str, Any]:
        """Return the last row of a select, or an empty one."""
        frame = self.rows(name)
        return {} if frame.empty else dict(frame.iloc[-1])

    def sources(self, *datasets: str) -> str:
        """Return who served datasets, such as ``coingecko, coinmetrics (market_daily)``."""
        frame = self.rows("freshness")
        parts = []
        for dataset in datasets:
            served = frame[(frame["dataset"] == dataset) & frame["newest_date"].notna()]
            names = ", ".join(sorted(served["source"].unique())) or "no source yet"
            parts.append(f"{names} ({dataset})")
        return "; ".join(parts)

    def confidence(self, signal_id: str, entity: str | None = None) -> str | None:
        """Return how far to trust a signal's newest readings, or None when that is highly.

        Of many series it says how many are below high, and the lowest among them.
        """
        frame = self.rows("signal_today")
        found = frame[(frame["signal_id"] == signal_id) & frame["confidence_score"].notna()]
        if entity is not None:
            found = found[found["entity"] == entity]
        doubtful = found[found["confidence_label"] != "high"]
        if doubtful.empty:
            return None
        label = str(doubtful.sort_values("confidence_score")["confidence_label"].iloc[0])
        if len(found) == 1:
            return label
        return f"{label} at worst, below high for {len(doubtful)} of {len(found)} series"

    def origin(
        self,
        query: str,
        *datasets: str,
        signal_id: str | None = None,
        entity: str | None = None,
        as_of: Any = None,
    ) -> Origin:
        """Return where the rows of a select are from."""
        frame = self.rows(query)
        if as_of is None:
            column = next((name for name in _DAYS if name in frame.columns), None)
            as_of = None if column is None or frame.empty else frame[column].max()
        return Origin(
            query=query,
            as_of=day(as_of) if is_known(as_of) else self.last_day,
            sources=self.sources(*datasets) if datasets else "",
            signal_id=signal_id,
            confidence=self.confidence(signal_id, entity) if signal_id else None,
        )

    @property
    def last_day(self) -> str:
        """The last market day of the file, as text."""
        about = self.row("about")
        return day(about.get("market_date")) if about else UNKNOWN
