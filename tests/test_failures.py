"""Which errors speak of the data, which of its absence, and which of neither."""

from __future__ import annotations

from pipeline import errors
from pipeline.failures import MISSING_DATA, WRONG_DATA
from pipeline.sources.transfer import HttpStatusError

OURS = {
    "TidemarkError",
    "ConfigurationError",
    "LockedError",
    "PublishError",
    "AlertError",
    "BackupError",
    "LedgerError",
}


def test_every_error_is_about_wrong_data_or_missing_data_or_ourselves() -> None:
    known = {
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.TidemarkError)
    } | {HttpStatusError.__name__}
    assert sorted([*WRONG_DATA, *MISSING_DATA, *OURS]) == sorted(known)


def test_missing_data_is_what_no_source_gave() -> None:
    assert {
        "SourceError",
        "RateLimitedError",
        "NotYetAvailableError",
        "UnobtainableError",
        "BlockedNightError",
        "HttpStatusError",
    } == MISSING_DATA
