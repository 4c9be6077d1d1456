"""No source makes a wrong row of a body in which one thing went wrong.

Every source reads what the sandbox sends it of a night, once as sent and once with one node of
a JSON body, or one cell of a CSV file, that is something else, is gone, or comes twice. Either
it raises one of our errors, or every figure that it gives is the one of the healthy body.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pandas as pd
import pytest
from every_source import DAY, SOURCES, Bodies, Night, ask, source_id
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.api.types import is_numeric_dtype

from pipeline.datasets import get_dataset
from pipeline.errors import TidemarkError
from pipeline.sandbox.market import GrowingMarket
from pipeline.sandbox.messages import World
from pipeline.sandbox.references import export_references
from pipeline.sandbox.server import Sandbox, create_server
from pipeline.settings import Settings
from pipeline.sources.base import Source

FIRST_DAY = DAY - timedelta(days=100)
EXAMPLES, MANY_EXAMPLES = 6, 60
PERPS_A_VENUE = 8
RTOL = 1e-9

# What is never a figure, a day or a name that a vendor means.
ALIENS = (None, True, "", "NaN", "Infinity", "?!", [], {}, [None], float("nan"), float("inf"))
ALIEN_CELLS = ("", "NaN", "inf", "?!", "true", "1e999", '"')


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with create_server(market=GrowingMarket(7, FIRST_DAY, 110)) as running:
        running.market.until(DAY + timedelta(days=12))
        yield running


@pytest.fixture(scope="module")
def nights(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return what a source was sent, and what it reads there, asked once."""
    home = tmp_path_factory.mktemp("home")
    (home / "reference").mkdir()
    now = datetime.combine(DAY + timedelta(days=1), datetime.min.time(), UTC)
    export_references(
        World(sandbox.market, now), home / "reference", Settings(_env_file=None).sql_dir
    )

    path = home / "reference" / "perp_symbol.csv"
    perps = pd.read_csv(path, dtype="string", keep_default_na=False)
    is_beyond = perps.groupby("venue").cumcount() >= PERPS_A_VENUE
    perps.loc[is_beyond, ["coin_id", "multiplier"]] = ""
    perps.to_csv(path, index=False)

    @cache
    def of(source: type[Source]) -> tuple[Night, pd.DataFrame]:
        asked = ask(source, sandbox, home)
        return asked, asked.parse()

    return of


def _nodes(content: Any) -> list[tuple[Any, Any]]:
    """Return the parent and key of every node of a document."""
    found: list[tuple[Any, Any]] = []
    waiting = [content]
    while waiting:
        parent = waiting.pop()
        keys = list(parent) if isinstance(parent, dict) else range(len(parent))
        for key in keys:
            found.append((parent, key))
            if isinstance(parent[key], dict | list):
                waiting.append(parent[key])
    return found


def _is_settlement(parent: Any, key: Any) -> bool:
    """Return whether a node is a settlement of funding; docs/fault_matrix.md has why it counts."""
    return isinstance(parent[key], dict) and bool({"fundingTime", "fundingRate"} & set(parent[key]))


def _spoil_json(data: st.DataObject, body: bytes) -> bytes:
    content = json.loads(body)
    nodes = _nodes(content)
    if not nodes:
        return body
    parent, key = nodes[data.draw(st.integers(0, len(nodes) - 1), "node")]
    deed = data.draw(st.sampled_from(["set", "set", "drop", "repeat"]), "deed")
    if deed == "set":
        parent[key] = data.draw(st.sampled_from(ALIENS), "alien")
    elif deed == "drop":
        # Nothing tells a settlement that is gone from an interval that is longer.
        if not _is_settlement(parent, key):
            del parent[key]
    # A cell again in a row without names moves those behind it: that is another figure.
    elif isinstance(parent, list) and isinstance(parent[key], dict | list):
        parent.insert(key, parent[key])
    return json.dumps(content).encode()


def _spoil_csv(data: st.DataObject, body: bytes) -> bytes:
    rows = list(csv.reader(io.StringIO(body.decode())))
    row = rows[data.draw(st.integers(0, len(rows) - 1), "row")]
    cell = data.draw(st.integers(0, max(len(row) - 1, 0)), "cell")
    deed = data.draw(st.sampled_from(["set", "set", "drop", "repeat"]), "deed")
    if deed == "set":
        row[cell] = data.draw(st.sampled_from(ALIEN_CELLS), "alien")
    elif deed == "drop":
        del row[cell]
    else:
        row.insert(cell, row[cell])
    return "".join(",".join(row) + "\n" for row in rows).encode()


def _spoil_zip(data: st.DataObject, body: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        (name,) = archive.namelist()
        content = archive.read(name)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, _spoil_csv(data, content))
    return target.getvalue()


def spoil(data: st.DataObject, bodies: Bodies) -> list[tuple[str, bytes]]:
    """Return the bodies with one of them spoiled; a zip's checksum goes with it."""
    spoiled = list(bodies)
    number = data.draw(st.integers(0, len(bodies) - 1), "body")
    name, body = spoiled[number]
    if body[:2] == b"PK":
        changed = _spoil_zip(data, body)
        old, new = (hashlib.sha256(each).hexdigest().encode() for each in (body, changed))
        spoiled = [(other, each.replace(old, new)) for other, each in spoiled]
    elif body.lstrip()[:1] in (b"{", b"["):
        changed = _spoil_json(data, body)
    else:
        changed = _spoil_csv(data, body)
    spoiled[number] = (name, changed)
    return spoiled


def wrong_figures(source: Source, said: pd.DataFrame, true: pd.DataFrame) -> list[str]:
    """Return every figure that is there and is not the healthy one; a missing one is none.

    An alien in the place of a name is another name, and a text is as it was sent.
    """
    dataset = get_dataset(source.dataset)
    keys = list(dataset.key)
    assert tuple(said.columns) == dataset.column_names
    assert not said.duplicated(keys).any()
    both = said.merge(true, on=keys, how="left", suffixes=("", "_true"), indicator=True)
    strange = both[both["_merge"] == "left_only"]
    names = [text.lower() for text in ALIENS if isinstance(text, str)]
    is_renamed = strange[keys].astype("str").apply(lambda key: key.str.lower()).isin(names)
    wrong = [f"no such row: {tuple(row)}" for row in strange[~is_renamed.any(axis=1)][keys].values]
    known = both[both["_merge"] == "both"]
    for measure in dataset.measures:
        now, then = known[measure], known[f"{measure}_true"]
        if not is_numeric_dtype(now) or not is_numeric_dtype(then):
            continue
        is_same = (now - then).abs() <= RTOL * then.abs()
        is_wrong = now.notna() & ~is_same.fillna(False).astype(bool)
        wrong += [
            f"{measure} of {tuple(row[keys])}: {row[measure]}, not {row[f'{measure}_true']}"
            for _, row in known[is_wrong].iterrows()
        ]
    return wrong


def check(nights: Any, source: type[Source], data: st.DataObject) -> None:
    asked, true = nights(source)
    try:
        said = asked.parse(spoil(data, asked.bodies))
    except TidemarkError:
        return
    assert wrong_figures(asked.source, said, true) == []


@pytest.mark.parametrize("source", SOURCES, ids=source_id)
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), deadline=None)
@given(data=st.data())
def test_spoiled_answer_is_refused_or_gives_no_wrong_figure(
    nights: Any, source: type[Source], data: st.DataObject
) -> None:
    check(nights, source, data)


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES, ids=source_id)
@settings(max_examples=MANY_EXAMPLES, suppress_health_check=list(HealthCheck), deadline=None)
@given(data=st.data())
def test_spoiled_answer_gives_no_wrong_figure_many_times(
    nights: Any, source: type[Source], data: st.DataObject
) -> None:
    check(nights, source, data)
