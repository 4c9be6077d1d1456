"""The faults there are, and which of them an endpoint can have."""

from __future__ import annotations

from typing import Final

from pipeline.sandbox.endpoints import Endpoint

# Faults that change a body, by what they do to it. These and ``STATUS_FAULTS`` are what whole
# nights of the first three vendors are tried with.
BODY_FAULTS: Final = {
    "html_200": "an HTML page with status 200",
    "truncated": "the first half of the body",
    "cut_connection": "the connection closes half-way through the body",
    "empty_list": "the right shape with no rows",
    "nan": "NaN as the newest or first row's figures",
    "null_caps": "every third main figure is null (empty in a CSV), the newest among them",
    "repeat_page": "page 1 whatever page is asked; elsewhere the newest row twice",
    "unit_slip": "figures of the newest day times 1000",
    "stale_stamp": "the answer of three days ago",
}
STATUS_FAULTS: Final = {
    "status_403": 403,
    "status_404": 404,
    "status_429": 429,
    "status_500": 500,
    "status_503": 503,
}

# More of the same kinds.
MORE_BODY_FAULTS: Final = {
    "zero_caps": "every third main figure is 0, the newest among them",
    "negative_caps": "every third main figure is below zero, the newest among them",
    "missing_page": "pages after the first have no rows",
    "duplicate_ids": "the newest row comes twice, the second time with other figures",
    "renamed_field": "the main figure has another name; a CSV without header loses the column",
    "extra_field": "every row has a field more",
    "yesterday_body": "the very bytes of the day before",
    "wrong_date": "every date is a year too early",
    "partial_last_row": "the newest row ends half-way through its fields",
    "wrong_checksum": "a checksum that is not the file's",
    "gzip_bomb": "a small body that unpacks to 256 MiB",
}
MORE_STATUS_FAULTS: Final = {
    "status_402": 402,
    "status_418": 418,
    "status_429_float": 429,
    "status_429_date": 429,
    "status_429_none": 429,
    "status_429_reset": 429,
    "status_451": 451,
    "status_502": 502,
    "status_504": 504,
}
WIRE_FAULTS: Final = {
    "slow": "the answer comes late",
    "slow_drip": "the body comes in small pieces, with pauses",
    "timeout": "there is never an answer",
    "reset": "the connection is reset half-way through the body",
}

ALL_BODY_FAULTS: Final = BODY_FAULTS | MORE_BODY_FAULTS
ALL_STATUS_FAULTS: Final = STATUS_FAULTS | MORE_STATUS_FAULTS
FAULT_NAMES: Final = (*ALL_BODY_FAULTS, *ALL_STATUS_FAULTS, *WIRE_FAULTS)
"""Every fault."""

_NEEDS_FIGURES = {"nan", "null_caps", "zero_caps", "negative_caps", "unit_slip", "renamed_field"}
_NEEDS_LIST = {"repeat_page", "duplicate_ids"}


def faults_for(endpoint: Endpoint) -> tuple[str, ...]:
    """Return the faults that an endpoint can have, in the order of ``FAULT_NAMES``.

    Every endpoint can have the faults of status and wire. ``missing_page`` needs pages,
    ``wrong_checksum`` a checksum; figures, rows and dates can be spoiled where there are any.
    """
    shape = endpoint.shape
    missing: set[str] = set()
    if not shape.figures:
        missing |= _NEEDS_FIGURES
    if shape.is_object:
        missing |= _NEEDS_LIST
    if not shape.stamps:
        missing.add("wrong_date")
        missing |= set() if shape.figures else {"stale_stamp", "yesterday_body"}
    if endpoint.page_parameter is None:
        missing.add("missing_page")
    if shape.kind != "zip":
        missing.add("wrong_checksum")
    return tuple(name for name in FAULT_NAMES if name not in missing)
