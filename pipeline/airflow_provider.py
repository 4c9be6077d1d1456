"""What Airflow asks of a package whose assets have a scheme of their own.

Airflow reads this while it is itself being imported, so nothing of Airflow is imported here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.sdk import Asset

SCHEME = "tidemark"


def get_provider_info() -> dict[str, Any]:
    """Tell Airflow of the scheme of our assets; an entry point of the package names this."""
    return {
        "package-name": "tidemark",
        "name": "Tidemark",
        "description": "Assets of the nightly crypto indices and signals",
        "asset-uris": [
            {
                "schemes": [SCHEME],
                "handler": f"{__name__}.check_uri",
                "to_openlineage_converter": f"{__name__}.to_openlineage",
            }
        ],
    }


def check_uri(uri: SplitResult) -> SplitResult:
    """Return an address of ours as it is.

    Raises:
        ValueError: It names no part of an archive.
    """
    if not uri.netloc or not uri.path.strip("/"):
        raise ValueError(f"{uri.geturl()} names no part of an archive, as in {SCHEME}://raw/x")
    return uri


def to_openlineage(asset: Asset, _context: object) -> Dataset:
    """Return the dataset of OpenLineage: ``raw/market_daily`` of the namespace ``tidemark``."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    parts = urlsplit(asset.uri)
    return Dataset(namespace=SCHEME, name=f"{parts.netloc}{parts.path}")
