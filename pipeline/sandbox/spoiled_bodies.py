"""Bodies as faults leave them: JSON, CSV, and a CSV within a zip."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from datetime import date
from functools import lru_cache
from typing import Any

from pipeline.sandbox.endpoints import Path, Shape
from pipeline.sandbox.spoiled_rows import (
    EXTRA_FIELD,
    RENAMED_SUFFIX,
    dump,
    references,
    spoil_rows,
)
from pipeline.sandbox.vendors.binance_vision import pack

BOMB_BYTES = 256 * 1024 * 1024
HTML = b"""<!DOCTYPE html>
<html lang="en-US"><head><title>Just a moment...</title></head>
<body><h1>Checking your browser before you proceed</h1></body></html>
"""

_BLOCK = b" " * (1024 * 1024)


def spoil_body(name: str, shape: Shape, body: bytes) -> bytes:
    """Return the body as a fault of content leaves it.

    Args:
        name: A fault of content; faults of the request or of the connection leave it alone.
        shape: What is in the body.
        body: The right body.
    """
    if name == "html_200":
        return HTML
    if name == "truncated":
        return body[: len(body) // 2]
    if shape.kind == "json":
        return _spoil_json(name, shape, body)
    if shape.kind == "csv":
        return _spoil_csv(name, shape, body.decode()).encode()
    return _spoil_zip(name, shape, body)


def _spoil_json(name: str, shape: Shape, body: bytes) -> bytes:
    top = {"body": json.loads(body)}
    for holder, key in references(top, ("body", *shape.rows)):
        rows = holder[key]
        if shape.is_columns:
            _spoil_columns(name, shape, rows)
        elif isinstance(rows, list):
            holder[key] = spoil_rows(name, rows, shape)
        else:
            # An object is its only row; without rows there is nothing in it.
            spoilt = spoil_rows(name, [rows], shape)
            holder[key] = spoilt[0] if spoilt else {}
    if name == "extra_field" and isinstance(top["body"], dict):
        top["body"][EXTRA_FIELD] = "0"
    return dump(top["body"])


def _columns(value: Any, length: int, path: Path = ()) -> dict[Path, list[Any]]:
    """Return every list of single values that has an element a row, by its path."""
    is_column = isinstance(value, list) and len(value) == length
    if is_column and not any(isinstance(element, dict | list) for element in value):
        return {path: value}
    found: dict[Path, list[Any]] = {}
    if isinstance(value, dict | list):
        steps = value.items() if isinstance(value, dict) else enumerate(value)
        for step, below in steps:
            found |= _columns(below, length, (*path, step))
    return found


def _spoil_columns(name: str, shape: Shape, holder: Any) -> None:
    """Spoil a body whose fields are lists, by way of rows; each field stands for itself."""
    ((parent, key),) = references(holder, shape.figures[0])
    if name == "renamed_field":
        parent[f"{key}{RENAMED_SUFFIX}"] = parent.pop(key)
        return
    if name == "extra_field":
        holder[EXTRA_FIELD] = "0"
        return
    columns = _columns(holder, len(parent[key]))
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    flat = Shape(
        figures=tuple((path,) for path in shape.figures),  # type: ignore[misc]
        stamps=tuple(((path,), form) for path, form in shape.stamps),  # type: ignore[misc]
        newest=shape.newest,
    )
    if name == "partial_last_row":
        for path in shape.figures:
            rows[-1][path] = None
        spoilt = rows
    else:
        spoilt = spoil_rows(name, rows, flat)
    for path in columns:
        for parent, key in references(holder, path):
            parent[key] = [row.get(path) for row in spoilt]


def _has_header(line: list[str]) -> bool:
    return not line[0].isdecimal()


def _places(paths: tuple[Path, ...], header: list[str]) -> tuple[Path, ...]:
    """Return the columns of a CSV as places."""
    return tuple(
        (path[0] if isinstance(path[0], int) else header.index(path[0]),)
        for path in paths
        if isinstance(path[0], int) or path[0] in header
    )


def _spoil_csv(name: str, shape: Shape, text: str) -> str:
    lines = [line.split(",") for line in text.splitlines()]
    header = lines.pop(0) if lines and shape.has_header and _has_header(lines[0]) else []
    places = Shape(
        figures=_places(shape.figures, header),
        stamps=tuple(
            (place, form) for path, form in shape.stamps for place in _places((path,), header)
        ),
        newest=shape.newest,
    )
    if name == "renamed_field" and header:
        header[int(places.figures[0][0])] += RENAMED_SUFFIX
    elif name == "partial_last_row":
        last = ",".join(lines.pop())
        kept = [",".join(line) for line in ([header] if header else []) + lines]
        return "\n".join([*kept, last[: len(last) // 2]])
    else:
        lines = spoil_rows(name, lines, places)
        header += [EXTRA_FIELD] if name == "extra_field" and header else []
    rows = [
        ",".join("" if cell is None else _cell(cell) for cell in line)
        for line in ([header] if header else []) + lines
    ]
    return "\n".join([*rows, ""])


def _cell(value: Any) -> str:
    return "nan" if value == "NaN" else str(value)


def _spoil_zip(name: str, shape: Shape, body: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        (info,) = archive.infolist()
        text = archive.read(info).decode()
    return pack(info.filename, _spoil_csv(name, shape, text), date(*info.date_time[:3]))


@lru_cache(maxsize=1)
def _bomb() -> tuple[bytes, int]:
    """Return blanks as a raw deflate stream, and their CRC."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(_BLOCK) + packer.flush(zlib.Z_FULL_FLUSH)
    count = BOMB_BYTES // len(_BLOCK)
    checksum = 0
    for _ in range(count):
        checksum = zlib.crc32(_BLOCK, checksum)
    return block * count + packer.flush(), checksum


def gzip_bomb() -> bytes:
    """Return a gzip file of some hundred kilobytes that unpacks to ``BOMB_BYTES`` of blanks."""
    packed, checksum = _bomb()
    head = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
    return head + packed + struct.pack("<II", checksum, BOMB_BYTES)


def zip_bomb(file_name: str) -> bytes:
    """Return a zip whose one file unpacks to ``BOMB_BYTES`` of blanks."""
    packed, checksum = _bomb()
    name = file_name.encode()
    sizes = (checksum, len(packed), BOMB_BYTES, len(name))
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 8, 0, 33, *sizes, 0) + name
    entry = (
        struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 8, 0, 33, *sizes, 0, 0, 0, 0, 0, 0)
        + name
    )
    start = len(local) + len(packed)
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, len(entry), start, 0)
    return local + packed + entry + end
