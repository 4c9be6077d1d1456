"""What the tests of whole nights share: a small simulated market and a home to run in."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import duckdb
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope, Session

from pipeline import steps
from pipeline.importing import find_files, import_file
from pipeline.sandbox.history import export_history
from pipeline.sandbox.market import SimulatedMarket
from pipeline.sandbox.messages import World
from pipeline.sandbox.references import export_references
from pipeline.sandbox.server import Sandbox
from pipeline.settings import Settings

SEED = 7
COIN_COUNT = 160
FIRST_DAY = date(2024, 2, 25)
# The history ends so that the nights after it cross a review, which takes effect on 1 May.
LAST_HISTORY_DAY = date(2024, 4, 29)
NIGHTS = tuple(LAST_HISTORY_DAY + timedelta(days=n) for n in range(1, 6))
RUN_HOUR = 1


def run_time(day: date, hour: float = RUN_HOUR) -> datetime:
    """Return an instant some hours after the close of ``day``."""
    return datetime.combine(day + timedelta(days=1), time(), UTC) + timedelta(hours=hour)


def sha256_of_files(folder: Path) -> dict[str, str]:
    """Map every file below ``folder`` to the digest of its content."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@dataclass(frozen=True)
class Home:
    """A Tidemark home and the vendors that it asks."""

    path: Path
    sandbox: Sandbox | None = None
    overrides: dict[str, Any] = field(default_factory=dict)

    def settings(self, day: date, hour: float = RUN_HOUR, **overrides: Any) -> Settings:
        """Return the settings of a run some hours after the close of ``day``."""
        now = run_time(day, hour)
        vendors = {}
        if self.sandbox is not None:
            vendors = {"vendor_root_url": self.sandbox.url(now=now), "vendor_pace": 0}
        fixed = {
            "home": self.path,
            "now_override": now,
            "threads": 2,
            "feeds": "market_daily,equity_daily,sentiment_daily",
            "http_attempts": 2,
            "http_backoff_seconds": 0,
            "http_retry_after_max_seconds": 0,
            # Pages of a night take longer than the night; tests/report has them.
            "report_enabled": False,
        }
        return Settings(_env_file=None, **(fixed | vendors | self.overrides | overrides))

    def environment(self, day: date, hour: float = RUN_HOUR, **overrides: Any) -> dict[str, str]:
        """Return the same settings as environment variables, for another process."""
        settings = self.settings(day, hour, **overrides)
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TIDEMARK_", "AIRFLOW_"))
        }
        chosen = {
            f"TIDEMARK_{name.upper()}": str(getattr(settings, name))
            for name in settings.model_fields_set - {"now_override"}
        }
        return inherited | chosen | {"TIDEMARK_NOW": run_time(day, hour).isoformat()}

    def refresh(
        self, day: date, hour: float = RUN_HOUR, run_id: str | None = None, **overrides: Any
    ) -> dict[str, Any]:
        """Run a night in this process."""
        settings = self.settings(day, hour, **overrides)
        return steps.refresh(settings, day, run_id or f"night-{day}-{hour}")

    @property
    def published(self) -> Path:
        return self.path / "published"

    @property
    def file(self) -> Path:
        return self.published / "tidemark.duckdb"

    def published_bytes(self) -> dict[str, str]:
        """Return the digest of every published file, the manifest among them."""
        return sha256_of_files(self.published)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Run SQL on the published file, read-only."""
        return query_file(self.file, sql)

    def index_rows(self, condition: str = "true") -> dict[str, list[str]]:
        """Return every row of the published daily index tables, as text."""
        tables = self.query(
            "select table_name from duckdb_columns() where schema_name = 'indices' "
            "and column_name = 'market_date' order by all"
        )
        assert tables
        return {
            table: [
                repr(row)
                for row in self.query(f"from indices.{table} where {condition} order by all")
            ]
            for (table,) in tables
        }

    def last_day(self) -> date:
        """Return the last day of the published levels."""
        ((day,),) = self.query("select max(market_date) from indices.index_level_daily")
        assert isinstance(day, date)
        return day


def query_file(file: Path, sql: str) -> list[tuple[Any, ...]]:
    """Run SQL on a DuckDB file, read-only."""
    with duckdb.connect(str(file), read_only=True) as connection:
        table = connection.execute(sql).to_arrow_table()
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def load_history(sandbox: Sandbox, home: Home, folder: Path) -> None:
    """Import the simulated history up to ``LAST_HISTORY_DAY`` and publish a first build."""
    folder.mkdir(exist_ok=True)
    market = sandbox.market.until(NIGHTS[-1] + timedelta(days=1))
    export_history(market, folder, FIRST_DAY, LAST_HISTORY_DAY)
    settings = home.settings(LAST_HISTORY_DAY)
    export_references(World(sandbox.market, run_time(LAST_HISTORY_DAY)), folder, settings.sql_dir)
    for file in find_files(folder):
        report = import_file(settings, file, "first-import")
        assert report.error is None, report.error
    built = steps.build(settings, LAST_HISTORY_DAY, "first-build")
    steps.publish(settings, steps.audit(settings, built))


def import_older_moods(home: Home, folder: Path) -> None:
    """Import so many days of sentiment that its signal has all the history that it asks for."""
    folder.mkdir()
    first = FIRST_DAY - timedelta(days=400)
    market = SimulatedMarket(SEED, first, FIRST_DAY, 40)
    last = FIRST_DAY - timedelta(days=1)
    export_history(market, folder, first, last, ("sentiment_daily",))
    (folder / "asset_class.csv").unlink()
    (file,) = find_files(folder)
    report = import_file(home.settings(LAST_HISTORY_DAY), file, "moods")
    assert (report.error, report.added) == (None, 400)


def build_ids(home: Home) -> list[str]:
    """Return the ids of a home's builds, oldest first."""
    return sorted(folder.name for folder in (home.path / "builds").iterdir())


def copy_home(source: Path, target: Path, sandbox: Sandbox | None, **overrides: Any) -> Home:
    """Copy a home, so that a test may do to it as it likes."""
    shutil.copytree(source, target)
    return Home(target, sandbox, overrides)


class Mailbox:
    """A mail server on loopback that keeps what it is sent."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.port = _free_port()

    async def handle_DATA(self, _server: object, _session: Session, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        return "250 OK"

    @property
    def settings(self) -> dict[str, Any]:
        """Return the settings that send mail here."""
        return {
            "smtp_host": "127.0.0.1",
            "smtp_port": self.port,
            "alert_to": "ops@example.org",
            "alert_from": "tidemark@example.org",
        }

    def messages(self) -> list[EmailMessage]:
        """Return the mails in the order in which they came."""
        parsed = []
        for envelope in self.envelopes:
            assert isinstance(envelope.content, bytes)
            message = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            parsed.append(message)
        return parsed

    def subjects(self) -> list[str]:
        return [str(message["Subject"]) for message in self.messages()]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def running_mailbox() -> Iterator[Mailbox]:
    """Run a mail server until the block ends."""
    mailbox = Mailbox()
    controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()
