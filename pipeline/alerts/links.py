"""Where a mail sends its reader: runbook, log, Data Docs, report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from pipeline.alerts.problem import Problem
from pipeline.settings import Settings


class Link(NamedTuple):
    """A place that has more: what it is, where as people read it, and as an address.

    ``url`` is empty where nothing serves the place; then ``shown`` says where it is.
    """

    label: str
    shown: str
    url: str = ""


@dataclass(frozen=True)
class Links:
    """Makes the links of one mail.

    Args:
        settings: Where the pages are served.
        run_id: The run, or None.
        log_url: Address of the run in Airflow, or empty where Airflow did not run it.
    """

    settings: Settings
    run_id: str | None = None
    log_url: str = ""

    def of_problem(self, problem: Problem) -> tuple[Link, ...]:
        """Return the runbook's section about a problem, and its log."""
        shown = f"docs/runbook.md#{problem.anchor}"
        base = self.settings.docs_url.rstrip("/")
        url = f"{base}/runbook.md#{quote(problem.anchor)}" if base else ""
        links = [Link("What to do", shown, url)]
        if self.log_url and problem.task:
            log = f"{self.log_url}/tasks/{problem.task}"
            links.append(Link("Log", log, log))
        return tuple(links)

    def of_run(self) -> list[Link]:
        """Return what there is of the run as a whole: log, Data Docs, report."""
        links = []
        if self.log_url:
            links.append(Link("Airflow log of the run", self.log_url, self.log_url))
        for label, page in (("Data Docs", self._data_docs()), ("Nightly report", self._report())):
            if page is not None and page.exists():
                links.append(self._to_file(label, page))
        return links

    def _data_docs(self) -> Path | None:
        from pipeline.quality.data_docs import index_page

        return None if self.run_id is None else index_page(self.settings, self.run_id)

    def _report(self) -> Path | None:
        return self.settings.published_dir / "report" / "index.html"

    def _to_file(self, label: str, page: Path) -> Link:
        path = page.relative_to(self.settings.home).as_posix()
        base = self.settings.site_url.rstrip("/")
        url = f"{base}/{quote(path)}" if base else ""
        return Link(label, url or str(page), url)
