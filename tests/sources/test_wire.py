"""The pure rules of the wire."""

from __future__ import annotations

import gzip
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import PayloadError
from pipeline.sources.wire import (
    BodyDecoder,
    TruncatedBodyError,
    public_headers,
    redact_text,
    redact_url,
    retry_after_seconds,
)

NOW = datetime(2026, 1, 2, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "5"}, 5),
        ({"retry-after": "5.25"}, 5.25),
        ({"retry-after": "-5"}, 0),
        ({"retry-after": "Fri, 02 Jan 2026 01:11:00 GMT"}, 60),
        ({"retry-after": "Fri, 02 Jan 2026 01:00:00 GMT"}, 0),
        ({"retry-after": "inf"}, None),
        ({"retry-after": ""}, None),
        ({"x-ratelimit-reset": "3"}, 3),
        ({"x-ratelimit-reset": str(int(NOW.timestamp()) + 9)}, 9),
        ({"x-ratelimit-reset": str(int(NOW.timestamp() + 9) * 1000)}, 9),
        ({"retry-after": "4", "x-ratelimit-reset": "9"}, 4),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers, NOW) == seconds


@given(st.text(), st.text(), st.text())
def test_retry_after_is_none_or_a_wait(asked: str, reset: str, vendor_date: str) -> None:
    headers = {"retry-after": asked, "x-ratelimit-reset": reset, "date": vendor_date}
    seconds = retry_after_seconds(headers, NOW)
    assert seconds is None or (math.isfinite(seconds) and seconds >= 0)


@given(st.text(alphabet="abcdef0123456789", min_size=8))
def test_redact_url_hides_whatever_looks_like_a_key(secret: str) -> None:
    url = f"https://me:{secret}@h.example/p?page=1&x_cg_demo_api_key={secret}#{secret}"
    assert redact_url(url) == "https://h.example/p?page=1&x_cg_demo_api_key=***"
    assert redact_url(f"https://h.example/{secret}?q={secret}", [secret]) == (
        "https://h.example/***?q=***"
    )


def test_redact_text_hides_a_key_in_any_case_and_as_in_a_url() -> None:
    said = "Bad key Ab+c/9, AB+C/9 or ?key=Ab%2Bc%2F9"
    assert redact_text(said, ["Ab+c/9"]) == "Bad key ***, *** or ?key=***"


def test_public_headers_hold_no_cookie_and_no_key() -> None:
    headers = {"Set-Cookie": "a", "Authorization": "b", "X-Token": "c", "ETag": "d k"}
    assert public_headers(headers, ["k"]) == {"etag": "d ***"}


@given(st.binary(max_size=2000), st.integers(1, 50), st.booleans())
def test_body_decoder_gives_back_what_was_sent(body: bytes, size: int, is_gzip: bool) -> None:
    sent = gzip.compress(body) if is_gzip else body
    decoder = BodyDecoder("gzip" if is_gzip else "", 2000)
    for start in range(0, len(sent), size):
        decoder.feed(sent[start : start + size])
    assert decoder.finish() == body


@given(st.binary(max_size=500), st.data())
def test_body_decoder_notices_a_gzip_stream_that_ends_early(
    body: bytes, data: st.DataObject
) -> None:
    sent = gzip.compress(body)
    decoder = BodyDecoder("gzip", 1000)
    decoder.feed(sent[: data.draw(st.integers(0, len(sent) - 1))])
    with pytest.raises(TruncatedBodyError):
        decoder.finish()


@given(st.binary(), st.integers(1, 100))
def test_body_decoder_raises_its_own_errors_only(received: bytes, max_bytes: int) -> None:
    decoder = BodyDecoder("gzip", max_bytes)
    try:
        decoder.feed(received)
        assert len(decoder.finish()) <= max_bytes
    except (PayloadError, TruncatedBodyError):
        pass
