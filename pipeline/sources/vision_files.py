"""Files of Binance's bulk archive: their names, their checksums, and the CSV inside. Pure."""

from __future__ import annotations

import csv
import hashlib
import io
import logging
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeVar
from urllib.parse import quote

from pipeline.errors import PayloadError
from pipeline.sources.payload import shown

logger = logging.getLogger(__name__)

CHECKSUM_SUFFIX = ".CHECKSUM"
AGAIN_SUFFIX = ".again"
"""Behind the name of a file, or checksum, that was fetched once more and counts instead."""

LABEL_SEPARATOR = "__"
"""Between what we add to a file's name when it is landed, and that name."""

MAX_CSV_BYTES = 8 * 1024 * 1024
_CHECKSUM_LINE = re.compile(r"([0-9a-fA-F]{64})[ \t]+\*?(\S+)\s*")
_FILE_NAME = re.compile(
    r"(?P<symbol>[^/\s]+)-(?P<kind>metrics|1d|fundingRate)-"
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})(-(?P<day>[0-9]{2}))?\.zip"
)
_Values = TypeVar("_Values")


@dataclass(frozen=True)
class ArchiveFile:
    """One zip: of a symbol, and of a day or a whole month (``last`` is its last day)."""

    folder: str
    name: str
    symbol: str
    first: date
    last: date
    label: str = ""

    @property
    def landed_name(self) -> str:
        """Name of the body: the file's own, behind the label where there is one."""
        return f"{self.label}{LABEL_SEPARATOR}{self.name}" if self.label else self.name

    @property
    def path(self) -> str:
        """Path below the vendor's address."""
        return f"{self.folder}/{quote(self.name)}"


def daily_file(folder: str, kind: str, symbol: str, day: date, label: str = "") -> ArchiveFile:
    """Return the file of one day; ``{symbol}`` in ``folder`` stands for the symbol."""
    placed = folder.format(symbol=quote(symbol))
    return ArchiveFile(placed, f"{symbol}-{kind}-{day.isoformat()}.zip", symbol, day, day, label)


def monthly_file(folder: str, kind: str, symbol: str, day: date, label: str = "") -> ArchiveFile:
    """Return the file of the month in which ``day`` lies; ``folder`` as for a day."""
    first = day.replace(day=1)
    placed = folder.format(symbol=quote(symbol))
    name = f"{symbol}-{kind}-{first:%Y-%m}.zip"
    return ArchiveFile(placed, name, symbol, first, last_of_month(first), label)


def last_of_month(day: date) -> date:
    """Return the last day of a day's month."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def read_checksum(body: bytes, file_name: str) -> str:
    """Return the sha256 that a ``.CHECKSUM`` file gives, in lower case.

    Raises:
        PayloadError: It is not ``<sha256>  <file name>``, or is of another file.
    """
    match = _CHECKSUM_LINE.fullmatch(body.decode("utf-8", "replace"))
    if match is None or match[2] != file_name:
        raise PayloadError(f"{shown(body[:100].decode('utf-8', 'replace'))} is no checksum of it")
    return match[1].lower()


def states_checksum(body: bytes, sha256: str) -> bool:
    """Return whether a ``.CHECKSUM`` file begins with a sha256."""
    return body[:64].decode("ascii", "replace").lower() == sha256


def read_files(
    bodies: Sequence[tuple[str, bytes]],
    kind: str,
    read: Callable[[str, date, date, list[list[str]]], _Values],
) -> list[tuple[str, _Values]]:
    """Check every landed zip against its checksum and read its lines.

    Args:
        bodies: Zips and their ``.CHECKSUM`` files, by their names in the archive.
        kind: The part of the name between symbol and day.
        read: Gets symbol, first and last day of the file and its lines.

    Returns:
        Symbol and what ``read`` gave, file by file; a file that does not fit its checksum or
        cannot be read is left out and named in the log.

    Raises:
        PayloadError: A name is of another fetch, or more than half of the files are left out.
    """
    received = dict(bodies)
    if len(received) != len(bodies):
        raise PayloadError("a file comes twice; fetch again")
    # What was fetched once more takes the place of the first try.
    received |= {
        name.removesuffix(AGAIN_SUFFIX): body
        for name, body in bodies
        if name.endswith(AGAIN_SUFFIX)
    }
    values: list[tuple[str, _Values]] = []
    refused: list[str] = []
    for name, body in received.items():
        if name.endswith(AGAIN_SUFFIX):
            continue
        file_name = name.removesuffix(CHECKSUM_SUFFIX)
        match = _FILE_NAME.fullmatch(file_name)
        if match is None or match["kind"] != kind:
            raise PayloadError(f"{shown(name)} is not of this fetch")
        if name != file_name:
            if file_name not in received:
                logger.warning("%s is left out: only its checksum came", file_name)
            continue
        try:
            first, last = _period(match)
            checksum = read_checksum(
                received.get(name + CHECKSUM_SUFFIX, b""), name.rpartition(LABEL_SEPARATOR)[2]
            )
            lines = read_zip(body, checksum)
            values.append((match["symbol"], read(match["symbol"], first, last, lines)))
        except PayloadError as exc:
            refused.append(f"{name}: {exc}")
            logger.warning("%s is left out: %s", name, exc)
    if len(refused) > len(values):
        raise PayloadError(
            f"{len(refused)} of {len(refused) + len(values)} files cannot be used, as {refused[0]}"
        )
    return values


def parse_file_name(name: str) -> tuple[str, date, date] | None:
    """Return symbol, first and last day of a zip by its name; None for any other name."""
    match = _FILE_NAME.fullmatch(name)
    return None if match is None else (match["symbol"], *_period(match))


def _period(match: re.Match[str]) -> tuple[date, date]:
    year, month, day = int(match["year"]), int(match["month"]), match["day"]
    try:
        first = date(year, month, int(day or 1))
    except ValueError as exc:
        raise PayloadError(f"there is no such day as in {shown(match[0])}") from exc
    return first, first if day else last_of_month(first)


def read_zip(body: bytes, sha256: str) -> list[list[str]]:
    """Return the lines of the one CSV in a zip, cell by cell, without empty ones.

    Raises:
        PayloadError: Its sha256 is another one, it is not a zip with exactly one file, is
            larger than ``MAX_CSV_BYTES`` once unpacked, or is not CSV in UTF-8.
    """
    if hashlib.sha256(body).hexdigest() != sha256:
        raise PayloadError("its sha256 is not the one in its checksum file")
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            members = archive.infolist()
            if len(members) != 1:
                raise PayloadError(f"the zip holds {len(members)} files instead of one")
            with archive.open(members[0]) as handle:
                content = handle.read(MAX_CSV_BYTES + 1)
        if len(content) > MAX_CSV_BYTES:
            raise PayloadError(f"the file unpacks to more than {MAX_CSV_BYTES} bytes")
        text = content.decode("utf-8-sig")
        return [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        csv.Error,
        EOFError,
        OSError,
        ValueError,
        NotImplementedError,
        RuntimeError,
        IndexError,
    ) as exc:
        raise PayloadError(f"the zip cannot be read ({type(exc).__name__}: {exc})") from exc


def columns_of(lines: list[list[str]], documented: Sequence[str]) -> dict[str, int]:
    """Return the place of each documented column by the header line; there may be others.

    Raises:
        PayloadError: There is no header, a documented column is not in it or twice, or a
            line is of another length.
    """
    header = lines[0] if lines else []
    if any(header.count(name) != 1 for name in documented):
        raise PayloadError(f"the header is {shown(','.join(header))}")
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(header):
            raise PayloadError(f"line {number} is {shown(','.join(line))}")
    return {name: header.index(name) for name in documented}
