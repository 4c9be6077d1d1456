"""What an endpoint of a vendor is: its path, its answer, and the shape of its body."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pipeline.sandbox.messages import Request, Response, World

Answer = Callable[[World, Request, Mapping[str, str]], Response]
RenderError = Callable[[int], tuple[str, bytes]]
BodyKind = Literal["json", "csv", "zip"]

# A step of a path into a body: a key, a place in a list, or "*" for every one.
Step = str | int
Path = tuple[Step, ...]


@dataclass(frozen=True)
class Shape:
    """Where the rows and figures of a body are, for the faults to find them.

    Args:
        kind: JSON, CSV, or a zip with one CSV in it.
        rows: Path from the top of a JSON body to its lists of rows; where it ends at an
            object, that object is the only row.
        figures: Paths within a row to its main figures: the cap first where there is one.
            In a CSV, names of columns, or their places where there is no header.
        stamps: Paths within a row to its time stamps, and how they are written: ``s``,
            ``ms``, ``us`` (numbers or digits in text), ``iso``, or a format of ``strftime``.
        key: Path within a row to what identifies it.
        newest: Which row is of the newest day; ``all`` in a list of things of one day.
        is_object: There is an object at ``rows``, and no list.
        is_columns: Each field of the object at ``rows`` is a list with an element a row.
        has_header: Whether a CSV has one.
    """

    kind: BodyKind = "json"
    rows: Path = ()
    figures: tuple[Path, ...] = ()
    stamps: tuple[tuple[Path, str], ...] = ()
    key: Path | None = None
    newest: Literal["first", "last", "all"] = "last"
    is_object: bool = False
    is_columns: bool = False
    has_header: bool = True


@dataclass(frozen=True)
class Endpoint:
    """One endpoint of one vendor.

    Args:
        vendor: Its folder, a name in ``pipeline.sources.vendors``.
        name: What it is called on the fault board, behind the vendor.
        pattern: Regular expression of the whole path behind the vendor's folder.
        answer: What it says, a pure function of the world, the request and the groups of
            ``pattern``.
        shape: Of its body.
        render_error: The vendor's own error body of a status.
        example: A path with parameters that is answered with rows.
        page_parameter: Parameter that asks for a later page, with the value of the first;
            None where there are no pages.
        is_dated: Whether the path names the day or month that is asked for.
        alias: An older name on the fault board.
        example_headers: Headers that the example needs.
    """

    vendor: str
    name: str
    pattern: str
    answer: Answer
    shape: Shape
    render_error: RenderError
    example: str
    page_parameter: tuple[str, str] | None = None
    is_dated: bool = False
    alias: str | None = None
    example_headers: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Its name on the fault board."""
        return f"{self.vendor}:{self.name}"

    def match(self, path: str) -> Mapping[str, str] | None:
        """Return the groups of a path behind the vendor's folder, None for another path."""
        found = re.fullmatch(self.pattern, path)
        return None if found is None else found.groupdict()
