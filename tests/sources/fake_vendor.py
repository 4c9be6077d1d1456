"""A client that answers from a table, and mutations of bodies, for the tests of sources."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from hypothesis import strategies as st

from pipeline.errors import TidemarkError
from pipeline.settings import Settings
from pipeline.sources.base import Source
from pipeline.sources.http import HttpResponse
from pipeline.sources.transfer import HttpStatusError

BASE = "https://vendors.example"
Answer = bytes | int | Exception


@dataclass
class FakeClient:
    """Answers what ``respond`` gives for path and parameters: bytes, a status, or an error."""

    respond: Callable[[str, Mapping[str, str]], Answer]
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    secrets: list[Any] = field(default_factory=list)

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        secret_headers: Mapping[str, Any] | None = None,
        expect: str = "json",
    ) -> HttpResponse:
        assert url.startswith(BASE)
        path = url.removeprefix(BASE + "/")
        self.asked.append((path, dict(params or {})))
        self.secrets.append(secret_headers)
        answer = self.respond(path, params or {})
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, int):
            raise HttpStatusError(f"{path}: HTTP {answer}", answer)
        return HttpResponse(
            url=url,
            status=200,
            headers={},
            body=answer,
            fetched_at=datetime(2026, 7, 11, 1, tzinfo=UTC),
            body_format=expect,
        )


def settings_at(now: datetime, home: Path, **overrides: Any) -> Settings:
    """Settings in a home of one's own at a time, with every vendor below ``BASE``."""
    return Settings.model_validate(
        {
            "_env_file": None,
            "home": home,
            "threads": 1,
            "vendor_root_url": BASE,
            "TIDEMARK_NOW": now,
            **overrides,
        }
    )


def night_of(day: date, hours: float = 1.0) -> datetime:
    """That many hours after the close of a day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1, hours=hours)


def milliseconds(day: date, hours: float = 0.0) -> int:
    """A stamp in milliseconds, that many hours into a UTC day."""
    return int((date_to_seconds(day) + hours * 3600) * 1000)


def date_to_seconds(day: date) -> int:
    """A stamp in seconds at the start of a UTC day."""
    return (day - date(1970, 1, 1)).days * 86_400


def as_json(content: Any) -> bytes:
    return json.dumps(content).encode()


def try_parse(
    source: Source, bodies: list[tuple[str, bytes]], day: date, **options: Any
) -> pd.DataFrame | None:
    """Parse; None when one of our errors was raised, and any other error comes out."""
    try:
        return source.parse(bodies, day, **options)
    except TidemarkError:
        return None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
# What a defective field is likely to hold.
odd_values = st.sampled_from(
    [
        None,
        "",
        "0",
        0,
        -1,
        "-1",
        "NaN",
        "1e999",
        True,
        [],
        {},
        "x",
        10**400,
        1.5,
        "٣",
        10**14,
        " 1 ",
    ]
)


@st.composite
def mutated_json(draw: st.DrawFn, content: Any) -> bytes:
    """Draw a body in which one value, at any depth, is another, is gone, or occurs again."""
    copied = json.loads(json.dumps(content))
    paths: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        items = enumerate(node) if isinstance(node, list) else node.items()
        for key, inner in list(items):
            paths.append((node, key))
            if isinstance(inner, list | dict):
                walk(inner)

    walk(copied)
    parent, key = draw(st.sampled_from(paths))
    action = draw(st.sampled_from(["set", "set", "any", "drop", "repeat"]))
    if action == "set":
        parent[key] = draw(odd_values)
    elif action == "any":
        parent[key] = draw(json_values)
    elif action == "drop":
        del parent[key]
    elif isinstance(parent, list):
        parent.append(parent[key])
    return json.dumps(copied).encode()
