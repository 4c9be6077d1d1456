"""What a source is: who it is, how to ask it for a day, how to read its answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, ClassVar, Literal

from pipeline.datasets import get_dataset
from pipeline.errors import PayloadError, SourceError, TidemarkError
from pipeline.sources.payload import build_frame
from pipeline.sources.vendors import get_vendor

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.settings import Settings
    from pipeline.sources.http import HttpClient, HttpResponse

Kind = Literal["by_date", "now_only"]
TRAILING_DAYS = 10
_ABOUT_A_BODY = (
    "what came is landed; run again later, and if it stays so compare it with docs/sources.md"
)


class Source(ABC):
    """One vendor's answer to one dataset.

    Attributes:
        name: What the rows' column ``source`` says; unique within a dataset.
        dataset: The raw dataset that it serves.
        vendor: The host that is asked, a name in ``pipeline.sources.vendors``.
        kind: ``by_date`` where the vendor can be asked for a past day, ``now_only`` where it
            only ever shows the present.
        earliest_date: First day that the vendor has; None where that is not known.
        available_hours: Hours after the close of a day from which the vendor has it whole.
        is_opt_in: Whether it is asked only when a setting says so.
        sends_all_since: Whether one fetch holds every day from the first one wanted to the
            present, as a file with the whole history does; a long range then takes one fetch.
        payloads_of: Another dataset whose landed payloads of the same source are read instead
            of asking again, as one file may feed two datasets.
    """

    name: ClassVar[str]
    dataset: ClassVar[str]
    vendor: ClassVar[str]
    kind: ClassVar[Kind]
    earliest_date: ClassVar[date | None] = None
    available_hours: ClassVar[float] = 0.0
    is_opt_in: ClassVar[bool] = False
    sends_all_since: ClassVar[bool] = False
    payloads_of: ClassVar[str | None] = None

    @property
    def licence(self) -> str:
        """What may be done with the data, with the credit to give."""
        return get_vendor(self.vendor).licence

    def is_usable(self, settings: Settings) -> bool:
        """Return whether the settings allow asking: a key where one is needed, a consent."""
        vendor = get_vendor(self.vendor)
        has_key = not vendor.needs_key or vendor.secret_headers(settings) is not None
        return has_key and not self.is_opt_in

    @abstractmethod
    def fetch(
        self,
        client: HttpClient,
        settings: Settings,
        market_date: date,
        *,
        since: date | None = None,
    ) -> Iterator[tuple[str, HttpResponse]]:
        """Ask for everything ``parse`` needs, one named response at a time.

        The caller lands each response before it asks for the next.

        Args:
            client: Does the asking.
            settings: Base URLs, keys and the clock.
            market_date: The UTC day wanted.
            since: First day wanted; ``TRAILING_DAYS`` before ``market_date`` by default.

        Yields:
            A name, unique in the fetch, and the response.

        Raises:
            SourceError: The vendor did not answer, or cannot answer for that day.
            PayloadError: It answered with something else than the documented format.
        """

    def parse(
        self,
        bodies: Sequence[tuple[str, bytes]],
        market_date: date,
        *,
        since: date | None = None,
    ) -> pd.DataFrame:
        """Read the bodies of one fetch. Pure: the same bodies give the same rows.

        Args:
            bodies: Names as ``fetch`` gave them, and bodies as received.
            market_date: The UTC day wanted, and the last one that is returned.
            since: First day wanted; ``TRAILING_DAYS`` before ``market_date`` by default, so
                that late and revised values come in with the next nights.

        Returns:
            Typed rows in exactly the dataset's ``column_names``, without lineage.

        Raises:
            PayloadError: A body is not in the documented shape, or describes another day.
            NotYetAvailableError: The vendor does not have the day yet.
            UnobtainableError: The vendor has later days, and will never have this one.
            SourceError: A body carries the vendor's own error.
        """
        try:
            rows = self.read_rows(bodies, market_date, first_day(market_date, since))
        except (PayloadError, SourceError) as exc:
            raise self.explain(exc, market_date) from exc
        return build_frame(get_dataset(self.dataset), rows)

    def explain(self, error: TidemarkError, market_date: date) -> TidemarkError:
        """Return an error that also says whose it is, of which day, and what to do next."""
        advice = f"; {_ABOUT_A_BODY}" if isinstance(error, PayloadError) else ""
        return error.saying(f"{self.name} for {market_date}: {error}{advice}")

    def points_of(self, bodies: Sequence[tuple[str, bytes]], day: date) -> Mapping[str, object]:
        """Return all that the bodies say of a day, also of one that still runs, by series.

        For sources whose answers hold the running day and no time at which they were made: an
        answer that stands still is told by what was landed on the day before. Pure.

        Raises:
            PayloadError: As for ``parse``.
            SourceError: As for ``parse``.
        """
        return {}

    @abstractmethod
    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Return the rows from ``first`` to ``market_date``, for ``parse`` to type."""


def vendor_url(settings: Settings, vendor: str, path: str) -> str:
    """Return ``path`` below the vendor's address, however that address ends."""
    return f"{get_vendor(vendor).url(settings).rstrip('/')}/{path.lstrip('/')}"


def close_of(market_date: date) -> datetime:
    """Return the instant at which a UTC day is over."""
    return datetime.combine(market_date + timedelta(days=1), time(), tzinfo=UTC)


def first_day(market_date: date, since: date | None) -> date:
    """Return the first day that a source is asked for."""
    return market_date - timedelta(days=TRAILING_DAYS) if since is None else since
