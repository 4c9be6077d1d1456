"""Every error Tidemark raises on purpose.

::

    TidemarkError
    ├── ConfigurationError        a setting, a rulebook row or a model is wrong
    ├── LockedError               another run is writing in the same home
    ├── SourceError               a vendor could not be asked or did not answer
    │   ├── RateLimitedError      it told us to come back later
    │   ├── NotYetAvailableError  the day is not complete there yet
    │   ├── UnobtainableError     the vendor can never answer for that day
    │   └── BlockedNightError     a dataset is missing that a night cannot do without
    ├── PayloadError              it answered, but not in the documented shape
    ├── QualityError              the rows do not pass the gate
    ├── AuditError                the built file does not pass the audits
    ├── PublishError              the built file could not be put in place
    ├── LedgerError               the ledger has lost or changed what it held
    ├── BackupError               a backup is damaged or could not be written
    └── AlertError                an alert could not be delivered yet

A message says what happened, on which day, and what to do next.
"""

from __future__ import annotations

from typing import Self


class TidemarkError(Exception):
    """Base of every error that Tidemark raises on purpose."""

    def saying(self, message: str) -> Self:
        """Return an error of the same kind with another message, to be raised from this one."""
        return type(self)(message)


class ConfigurationError(TidemarkError):
    """A setting, a reference table or an SQL model is wrong; fix it and run again."""


class LockedError(TidemarkError):
    """Another run is writing in the same home."""


class SourceError(TidemarkError):
    """A vendor could not be asked, or did not answer usefully."""


class RateLimitedError(SourceError):
    """A vendor told us to come back later and the retry budget is used up."""


class NotYetAvailableError(SourceError):
    """The vendor does not have the day yet; a later run will find it."""


class UnobtainableError(SourceError):
    """The vendor answers for now only, and nothing was landed for that day."""


class BlockedNightError(SourceError):
    """A dataset is missing that a night cannot do without; nothing was built."""


class PayloadError(TidemarkError):
    """A response is not in the documented shape, or describes another day."""


class QualityError(TidemarkError):
    """Rows failed a critical rule of the gate; nothing of the dataset was loaded."""


class AuditError(TidemarkError):
    """The built warehouse failed a critical audit; the published file is untouched."""


class PublishError(TidemarkError):
    """A built warehouse could not be put in place."""


class LedgerError(TidemarkError):
    """The ledger has lost or changed what it held, which cannot be made again."""


class BackupError(TidemarkError):
    """A backup is damaged or could not be written; the home is as it was."""


class AlertError(TidemarkError):
    """An alert could not be delivered to everybody; it stays in the outbox."""
