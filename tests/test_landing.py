"""The landing archive: nothing is lost, nothing changes, nothing leaves its root."""

from __future__ import annotations

import gzip
import json
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigurationError, PayloadError
from pipeline.landing import LandedPayload, Landing
from pipeline.sources.http import HttpResponse

DAY = date(2026, 1, 1)
FETCHED_AT = datetime(2026, 1, 2, 1, 10, tzinfo=UTC)


def make_response(body: bytes = b"[1]", **overrides: Any) -> HttpResponse:
    fields: dict[str, Any] = {
        "url": "https://vendor.example/x?page=1",
        "status": 200,
        "headers": {"etag": "x"},
        "body": body,
        "fetched_at": FETCHED_AT,
        "body_format": "json",
    }
    return HttpResponse(**fields | overrides)


def land(landing: Landing, body: bytes = b"[1]", **overrides: Any) -> LandedPayload:
    arguments: dict[str, Any] = {
        "source": "vendor",
        "dataset": "market_daily",
        "market_date": DAY,
        "name": "page-1",
        "run_id": "run-1",
        "fetched_at": FETCHED_AT,
    }
    return landing.land(make_response(body), **arguments | overrides)


def files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path)


def test_landing_keeps_the_bytes_and_says_where_they_came_from(
    landing: Landing, tmp_path: Path
) -> None:
    payload = land(landing, b'{"a": "\xc3\xa9"}\r\n')
    folder = f"market_daily/vendor/2026-01-01/{{}}page-1-{payload.sha256[:12]}"
    assert payload.path == f"{folder.format('')}.json.gz"
    sidecar = f"{folder.format('20260102T011000000000Z-run-1-')}.meta.json"
    assert files(tmp_path) == sorted([payload.path, sidecar])
    assert landing.read(payload) == b'{"a": "\xc3\xa9"}\r\n'
    assert json.loads((tmp_path / sidecar).read_text()) == {
        **payload.to_dict(),
        "url": "https://vendor.example/x?page=1",
        "status": 200,
        "headers": {"etag": "x"},
        "received_at": "2026-01-02T01:10:00+00:00",
    }


def test_landing_the_same_again_writes_nothing(landing: Landing, tmp_path: Path) -> None:
    first = land(landing)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert land(landing) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_landing_the_same_bytes_in_another_fetch_shares_the_file(
    landing: Landing, tmp_path: Path
) -> None:
    first = land(landing)
    second = land(landing, run_id="run-2", fetched_at=FETCHED_AT + timedelta(hours=1))
    assert second.path == first.path
    assert len(list(tmp_path.rglob("*.gz"))) == 1
    assert landing.find("market_daily", "vendor", DAY) == [[second], [first]]


def test_landing_other_bytes_leaves_the_first_alone(landing: Landing) -> None:
    first, second = land(landing, b"[1]"), land(landing, b"[2]")
    assert (landing.read(first), landing.read(second)) == (b"[1]", b"[2]")


def test_find_groups_by_fetch_newest_first(landing: Landing) -> None:
    later = FETCHED_AT + timedelta(minutes=5)
    for name in ("page-2", "page-1"):
        land(landing, name.encode(), name=name)
        land(landing, f"{name} again".encode(), name=name, fetched_at=later)
        land(landing, b"other run", name=name, run_id="run-2")
    land(landing, market_date=DAY + timedelta(days=1))
    land(landing, dataset="equity_daily")
    assert [
        [(payload.fetched_at, payload.run_id, payload.name) for payload in fetch]
        for fetch in landing.find("market_daily", "vendor", DAY)
    ] == [
        [(later, "run-1", "page-1"), (later, "run-1", "page-2")],
        [(FETCHED_AT, "run-2", "page-1"), (FETCHED_AT, "run-2", "page-2")],
        [(FETCHED_AT, "run-1", "page-1"), (FETCHED_AT, "run-1", "page-2")],
    ]
    assert landing.find("market_daily", "nobody", DAY) == []


def test_find_sees_no_body_whose_sidecar_was_not_written(
    landing: Landing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def crash_at_the_sidecar(path: Path, target: Path) -> Path:
        if target.name.endswith(".meta.json"):
            raise OSError("disk gone")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", crash_at_the_sidecar)
    with pytest.raises(OSError, match="disk gone"):
        land(landing)
    assert len(files(tmp_path)) == 1
    assert landing.find("market_daily", "vendor", DAY) == []
    monkeypatch.undo()
    payload = land(landing)
    assert landing.find("market_daily", "vendor", DAY) == [[payload]]


def test_find_raises_on_a_damaged_sidecar(landing: Landing, tmp_path: Path) -> None:
    land(landing)
    sidecar = next(tmp_path.rglob("*.meta.json"))
    for damage in (b"{", b"[]", b"\xff", sidecar.read_bytes().replace(b"sha256", b"sha")):
        sidecar.write_bytes(damage)
        with pytest.raises(PayloadError):
            landing.find("market_daily", "vendor", DAY)


@pytest.mark.parametrize(
    "damage",
    [b"", b"not gzip", gzip.compress(b"[2]"), gzip.compress(b"[1]")[:-3], gzip.compress(b"[1]]")],
    ids=["empty", "not gzip", "other body", "cut short", "longer body"],
)
def test_read_raises_on_a_damaged_body_and_landing_again_heals_it(
    landing: Landing, tmp_path: Path, damage: bytes
) -> None:
    payload = land(landing)
    (tmp_path / payload.path).write_bytes(damage)
    with pytest.raises(PayloadError, match="2026-01-01"):
        landing.read(payload)
    assert landing.read(land(landing)) == b"[1]"


def test_read_raises_on_a_missing_body(landing: Landing, tmp_path: Path) -> None:
    payload = land(landing)
    (tmp_path / payload.path).unlink()
    with pytest.raises(PayloadError, match="fetch again"):
        landing.read(payload)


@pytest.mark.parametrize("path", ["../outside.gz", "/etc/hostname", "a/../../x", "a\0b"])
def test_read_stays_inside_the_archive(landing: Landing, path: str) -> None:
    described = land(landing).to_dict() | {"path": path}
    with pytest.raises(PayloadError, match="outside the landing archive"):
        landing.read(LandedPayload.from_dict(described))


@pytest.mark.parametrize("part", ["../../x", "/abs", "..", ".", "", "a b/ç", "x" * 500, "a\0b"])
def test_names_cannot_leave_the_folder(landing: Landing, tmp_path: Path, part: str) -> None:
    root = tmp_path / "root"
    inside = Landing(root)
    payload = land(inside, name=part, source=part, dataset=part, run_id=part)
    assert inside.read(payload) == b"[1]"
    assert inside.find(part, part, DAY) == [[payload]]
    assert all(path.is_relative_to(root) for path in tmp_path.rglob("*"))


def test_names_that_look_alike_do_not_meet(landing: Landing) -> None:
    payloads = [land(landing, name=name) for name in ("a b", "a/b", "a-b")]
    assert len({payload.path for payload in payloads}) == 3
    assert len(landing.find("market_daily", "vendor", DAY)[0]) == 3


def test_payload_survives_the_way_through_json(landing: Landing) -> None:
    payload = land(landing)
    assert LandedPayload.from_dict(json.loads(json.dumps(payload.to_dict()))) == payload


def test_landing_keeps_time_in_utc_and_refuses_time_without_zone(landing: Landing) -> None:
    local = FETCHED_AT.astimezone(timezone(timedelta(hours=9)))
    assert land(landing, fetched_at=local) == land(landing)
    with pytest.raises(ConfigurationError, match="time zone"):
        land(landing, fetched_at=datetime(2026, 1, 1))  # noqa: DTZ001


@given(body=st.binary(max_size=300), name=st.text(max_size=30))
def test_landing_gives_back_any_bytes_under_any_name(
    tmp_path_factory: pytest.TempPathFactory, body: bytes, name: str
) -> None:
    landing = Landing(tmp_path_factory.mktemp("landing"))
    payload = land(landing, body, name=name)
    assert landing.read(payload) == body
    assert landing.find("market_daily", "vendor", DAY) == [[payload]]


@given(
    st.dictionaries(
        st.sampled_from(["dataset", "market_date", "fetched_at", "size_bytes", "path", "sha256"]),
        st.none() | st.integers() | st.text(max_size=12),
    )
)
def test_from_dict_raises_payload_error_only(changes: dict[str, Any]) -> None:
    described = {
        **dict.fromkeys(("dataset", "source", "name", "run_id", "path", "sha256"), "x"),
        "market_date": "2026-01-01",
        "fetched_at": "2026-01-02T01:10:00+00:00",
        "size_bytes": 3,
    } | changes
    with suppress(PayloadError):
        LandedPayload.from_dict(described)
