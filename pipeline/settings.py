"""Everything that may differ between two installations. The only reader of the environment."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import AnyHttpUrl, AwareDatetime, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipeline.errors import ConfigurationError

_REPOSITORY = Path(__file__).resolve().parent.parent


def _shipped(folder: str) -> Path:
    """Return ``folder`` of the checkout, or its copy inside an installed wheel."""
    checkout = _REPOSITORY / folder
    return checkout if checkout.is_dir() else Path(__file__).resolve().parent / f"_{folder}"


LANDING_KEPT_DAYS_MIN = 30
"""Nights hold an answer against those before, and mended parsers read some weeks again."""

Weekday = Literal["", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class Settings(BaseSettings):
    """Tidemark's settings, read from ``TIDEMARK_*`` variables and an optional ``.env``."""

    model_config = SettingsConfigDict(
        env_prefix="TIDEMARK_",
        env_file=".env",
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    home: Path = Field(
        default=Path("data"), description="root of landing, raw, builds and published"
    )
    sql_dir: Path = Field(default_factory=lambda: _shipped("sql"))
    dags_dir: Path = Field(default_factory=lambda: _shipped("dags"))

    exposures_file: Path | None = Field(
        default=None,
        description="who else reads the published file, in the form of sql/exposures.yml",
    )

    feeds: str = Field(
        default="", description="feeds that a night fetches, comma separated; empty for all"
    )
    vendor_root_url: AnyHttpUrl | None = Field(
        default=None, description="ask every vendor below this address, as /<vendor>/..."
    )
    vendor_urls: dict[str, AnyHttpUrl] = Field(
        default={}, description="addresses of single vendors, by the name of the vendor"
    )
    vendor_pace: float = Field(
        default=1.0,
        ge=0,
        description="part of each call budget that is used; 0 neither paces nor pauses",
    )
    coingecko_demo_key: SecretStr | None = None
    coinalyze_key: SecretStr | None = None
    is_yahoo_enabled: bool = False

    http_connect_timeout_seconds: float = 10.0
    http_read_timeout_seconds: float = 60.0
    http_total_timeout_seconds: float = 300.0
    http_attempts: int = Field(default=5, ge=1)
    http_backoff_seconds: float = Field(default=1.0, ge=0)
    http_retry_after_max_seconds: float = 180.0
    http_max_bytes: int = 128 * 1024 * 1024

    builds_kept: int = Field(default=7, ge=2)
    data_docs_runs_kept: int = Field(
        default=14, ge=0, description="runs of which Data Docs are kept; 0 makes none"
    )
    unpublished_builds_kept: int = Field(
        default=3, ge=1, description="builds that failed or were only looked at, kept for a look"
    )
    landing_kept_days: int = Field(
        default=0, ge=0, description="days after which stored bodies may go; 0 keeps all"
    )
    logs_kept_days: int = Field(default=90, ge=0, description="days of logs; 0 keeps all")
    log_dir: Path | None = Field(default=None, description="where logs are pruned; none by default")
    backup_dir: Path | None = Field(default=None, description="where upkeep makes a backup a day")
    backups_kept: int = Field(default=30, ge=1, description="backups that upkeep keeps")
    report_enabled: bool = Field(
        default=True, description="whether a night ends with the pages of published/report/"
    )
    lock_timeout_seconds: float = Field(default=0.0, ge=0)
    log_format: Literal["text", "json"] = Field(
        default="text", description="how the command line writes its log: lines, or JSON a line"
    )
    threads: int | None = Field(
        default=None, ge=1, description="DuckDB threads; all cores by default"
    )

    @field_validator("landing_kept_days")
    @classmethod
    def _keep_bodies_for_a_month(cls, days: int) -> int:
        if 0 < days < LANDING_KEPT_DAYS_MIN:
            raise ValueError(
                f"bodies are read again for weeks; keep {LANDING_KEPT_DAYS_MIN} days or 0 for all"
            )
        return days

    smtp_host: str | None = None
    smtp_port: int = 25
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_starttls: bool = False
    smtp_implicit_tls: bool = Field(
        default=False, description="TLS from the first byte on, as on port 465; not with STARTTLS"
    )
    smtp_timeout_seconds: float = Field(default=30.0, gt=0)
    alert_from: str = "tidemark@localhost"
    alert_to: str = Field(
        default="",
        description="comma separated, each with the least severity and the datasets it is for",
    )
    alert_webhook_url: SecretStr | None = Field(
        default=None, description="gets every alert as Slack-compatible JSON, beside the mail"
    )
    alert_remind_nights: int = Field(
        default=7, ge=1, description="nights after which an unchanged warning is mailed again"
    )
    alert_roll_up_above: int = Field(
        default=5, ge=1, description="more problems of one kind than this become one line"
    )
    alert_restatement_fraction: float = Field(
        default=0.0001, ge=0, description="restated levels that differ by more are told"
    )
    alert_weekly_day: Weekday = Field(
        default="monday", description="UTC day of the weekly summary; empty for none"
    )
    alert_night_due_hour: int = Field(
        default=5, ge=0, le=23, description="UTC hour by which a night has to be published"
    )
    docs_url: str = Field(default="", description="where docs/ is served; empty names the files")
    site_url: str = Field(
        default="", description="where the home's report and Data Docs are served"
    )

    now_override: AwareDatetime | None = Field(
        default=None,
        validation_alias="TIDEMARK_NOW",
        description="pretend it is this time; sandbox and tests only",
    )

    @property
    def landing_dir(self) -> Path:
        """Bytes as received."""
        return self.home / "landing"

    @property
    def raw_dir(self) -> Path:
        """Typed append-only Parquet."""
        return self.home / "raw"

    @property
    def quarantine_dir(self) -> Path:
        """Rows that failed a rule, with the reason."""
        return self.home / "quarantine"

    @property
    def journal_dir(self) -> Path:
        """What the runs did."""
        return self.home / "journal"

    @property
    def state_dir(self) -> Path:
        """What runs share for a while: call budgets, pauses, progress, shapes."""
        return self.home / "state"

    @property
    def data_docs_dir(self) -> Path:
        """What the gate found in the last runs, as pages."""
        return self.home / "data_docs"

    @property
    def ledger_dir(self) -> Path:
        """What was published on each night."""
        return self.home / "ledger"

    @property
    def reference_dir(self) -> Path:
        """The user's own rows for the reference tables."""
        return self.home / "reference"

    @property
    def alerts_dir(self) -> Path:
        """The state of every problem, and the mails about them."""
        return self.home / "alerts"

    @property
    def builds_dir(self) -> Path:
        """One folder a build."""
        return self.home / "builds"

    @property
    def published_dir(self) -> Path:
        """What readers open."""
        return self.home / "published"

    @property
    def published_file(self) -> Path:
        """The warehouse that readers open."""
        return self.published_dir / "tidemark.duckdb"

    def now(self) -> datetime:
        """Return the present instant in UTC, or the pretended one."""
        return (self.now_override or datetime.now(UTC)).astimezone(UTC)

    def default_market_date(self) -> date:
        """Return the last UTC day that is complete."""
        return self.now().date() - timedelta(days=1)


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        ConfigurationError: A variable holds what it cannot; the message names it.
    """
    try:
        return Settings()
    except ValidationError as exc:
        wrong = "; ".join(
            f"{_variable(str(error['loc'][0]))}: {error['msg']}" for error in exc.errors()
        )
        raise ConfigurationError(f"{wrong}; see .env.example") from exc


def _variable(field: str) -> str:
    return field if field.isupper() else f"TIDEMARK_{field.upper()}"
