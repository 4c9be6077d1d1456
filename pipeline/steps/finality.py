"""Which errors another try of a step cannot mend."""

from __future__ import annotations

from pipeline import errors

_FINAL_ERRORS = (
    errors.AuditError,
    errors.BlockedNightError,
    errors.ConfigurationError,
    errors.LedgerError,
    errors.PayloadError,
    errors.QualityError,
    errors.UnobtainableError,
)


def is_final(error: BaseException) -> bool:
    """Return whether running the step again cannot mend an error.

    A refusal by status (a ban, a block, a wrong key, a path that has moved) is final; no
    answer, a server's own fault and "not yet" are not. Where every source of a feed failed,
    one that may answer later is enough to try again.
    """
    from pipeline.sources.refusals import FINAL_STATUSES
    from pipeline.sources.transfer import HttpStatusError

    if isinstance(error.__cause__, ExceptionGroup):
        return all(is_final(each) for each in error.__cause__.exceptions)
    if isinstance(error, HttpStatusError):
        return error.status in FINAL_STATUSES
    return isinstance(error, _FINAL_ERRORS)
