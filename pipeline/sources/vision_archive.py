"""Asking Binance's bulk archive for the zips of many symbols and days, each with its checksum.

A file that does not fit its checksum is fetched once more, and left out by name if it still
does not. Files are published again now and then, so the last days' checksums are asked for
every night, and a file is fetched again only when its checksum is not that of the one landed.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Generator, Iterator, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, ClassVar

from pipeline.datasets import get_dataset
from pipeline.errors import NotYetAvailableError, PayloadError, UnobtainableError
from pipeline.sources.base import Source, close_of, vendor_url
from pipeline.sources.venues import PROBED_SYMBOLS
from pipeline.sources.vision_files import (
    AGAIN_SUFFIX,
    CHECKSUM_SUFFIX,
    ArchiveFile,
    parse_file_name,
    read_checksum,
    states_checksum,
)

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.sources.http import HttpClient, HttpResponse

logger = logging.getLogger(__name__)

YOUNG_DAYS = 3
"""A file that is missing for longer never comes: the archive has gaps."""

_MISSING_STATUSES = frozenset({403, 404})


class VisionSource(Source):
    """What the archive's datasets have in common: how their files are asked for."""

    vendor = "binance_vision"
    kind = "by_date"
    is_rechecked: ClassVar[bool] = True
    young_days: ClassVar[int] = YOUNG_DAYS

    def files(
        self, settings: Settings, first: date, market_date: date
    ) -> Sequence[Sequence[ArchiveFile]]:
        """Return the files from ``first`` to the day, in groups that end on the same day.

        The group of the newest day comes first, and in it the largest coins.
        """
        raise NotImplementedError

    def fetch(
        self,
        client: HttpClient,
        settings: Settings,
        market_date: date,
        *,
        since: date | None = None,
    ) -> Iterator[tuple[str, HttpResponse]]:
        """Ask for the day's files, and for those before it that are new or have changed.

        With ``since``, ask for every file from then on. A symbol without a file is left out.
        See ``Source.fetch``.

        Raises:
            NotYetAvailableError: Most of the day's files are missing, and they are young.
            UnobtainableError: None of the day's files is there, nor will be.
        """
        if settings.now() < close_of(market_date):
            raise NotYetAvailableError(f"{market_date} is not over; run again after midnight UTC")
        is_nightly = since is None
        first = since or market_date - timedelta(days=YOUNG_DAYS if self.is_rechecked else 0)
        known = self._stored_checksums(settings, first, market_date) if is_nightly else {}
        groups = [group for group in self.files(settings, first, market_date) if group]
        if not groups:
            raise UnobtainableError(f"no symbol of {market_date} is reviewed or listed")
        for number, group in enumerate(groups):
            is_wanted_day = number == 0
            age_days = (settings.now() - close_of(group[0].last)).days
            found = 0
            for asked, file in enumerate(group, start=1):
                known_checksum = None if is_wanted_day else known.get(file.name)
                found += yield from self._ask(client, settings, file, known_checksum)
                if not found and asked >= min(PROBED_SYMBOLS, len(group)):
                    break
            if is_wanted_day:
                _check_found(found, len(group), group[0], is_young=age_days < self.young_days)
            logger.info("%s: %d of %d files of %s", self.name, found, len(group), group[0].last)

    def _ask(
        self,
        client: HttpClient,
        settings: Settings,
        file: ArchiveFile,
        known_checksum: str | None,
    ) -> Generator[tuple[str, HttpResponse], None, bool]:
        """Yield a file's checksum and the file, each before it is read; return if it is there.

        A file that is known is not asked for, and its checksum, which was landed with it, not
        yielded again.
        """
        from pipeline.sources.transfer import HttpStatusError

        url, name = vendor_url(settings, self.vendor, file.path), file.landed_name
        try:
            checksum = client.get(url + CHECKSUM_SUFFIX, expect="text")
            if known_checksum is not None and states_checksum(checksum.body, known_checksum):
                return True
            yield name + CHECKSUM_SUFFIX, checksum
            wanted = read_checksum(checksum.body, file.name)
            archive = client.get(url, expect="zip")
            yield name, archive
            if hashlib.sha256(archive.body).hexdigest() != wanted:
                logger.warning("%s does not fit its checksum; fetching both again", file.name)
                yield (
                    name + CHECKSUM_SUFFIX + AGAIN_SUFFIX,
                    client.get(url + CHECKSUM_SUFFIX, expect="text"),
                )
                yield name + AGAIN_SUFFIX, client.get(url, expect="zip")
        except HttpStatusError as exc:
            if exc.status not in _MISSING_STATUSES:
                raise
            logger.debug("%s is not there: %s", file.name, exc)
            return False
        except PayloadError as exc:
            logger.warning("%s is left out: %s", file.name, exc)
            return False
        return True

    def _stored_checksums(
        self, settings: Settings, first: date, market_date: date
    ) -> dict[str, str]:
        """Return the sha256 by name of the landed files whose rows are stored."""
        from pipeline.landing import Landing

        landing = Landing(settings.landing_dir)
        dataset = self.payloads_of or self.dataset
        stored = self._stored(settings, first, market_date)
        checksums: dict[str, str] = {}
        day = first
        while day <= market_date and stored:
            for payloads in reversed(landing.find(dataset, self.name, day)):
                for payload in payloads:
                    name = payload.name.removesuffix(AGAIN_SUFFIX)
                    named = parse_file_name(name)
                    if named is not None and (named[2], named[0]) in stored:
                        checksums[name] = payload.sha256
            day += timedelta(days=1)
        return checksums

    def _stored(self, settings: Settings, first: date, last: date) -> set[tuple[date, str]]:
        from pipeline.database import open_scratch
        from pipeline.raw_store import RawStore

        store = RawStore(settings.raw_dir, settings.threads)
        dataset = get_dataset(self.dataset)
        if not store.files(dataset):
            return set()
        with open_scratch(settings.threads) as connection:
            rows = connection.execute(
                f"select distinct market_date, {dataset.key[-1]} from ({store.select(dataset)}) "
                "where source = $source and market_date between $first and $last",
                {"source": self.name, "first": first, "last": last},
            ).fetchall()
        return {(day, str(subject)) for day, subject in rows}


def _check_found(found: int, wanted: int, file: ArchiveFile, *, is_young: bool) -> None:
    if is_young and 2 * found < wanted:
        raise NotYetAvailableError(
            f"{found} of {wanted} files like {file.name} were found; they come in the course of "
            "the next day, run again later"
        )
    if not found:
        raise UnobtainableError(
            f"no file like {file.name} is there, days after it was due; the archive has a gap"
        )
