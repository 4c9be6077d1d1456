"""The machine and the settings: versions, keys."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from pipeline import __version__
from pipeline.alerts.routes import read_routes
from pipeline.doctor.finding import Finding
from pipeline.settings import Settings

SHOWN_PACKAGES = ("apache-airflow", "duckdb", "great-expectations", "pandas")


def versions(settings: Settings) -> Iterator[Finding]:
    """Are Python and the packages those that the project asks for?"""
    del settings
    shown = [f"Tidemark {__version__}", f"Python {platform.python_version()}"]
    shown += [f"{name} {_version(name) or 'missing'}" for name in SHOWN_PACKAGES]
    wrong = []
    for line in requires("tidemark") or ():
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        found = _version(wanted.name)
        if found is None or not wanted.specifier.contains(found, prereleases=True):
            wrong.append(f"{wanted.name} is {found or 'missing'}, not {wanted.specifier}")
    if not (3, 11) <= sys.version_info[:2] < (3, 14):
        wrong.append(f"Python is {platform.python_version()}, not 3.11 to 3.13")
    if wrong:
        yield Finding("versions", "fail", "; ".join(wrong), "run `make install`")
    else:
        yield Finding("versions", "ok", ", ".join(shown))


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def settings_in_order(settings: Settings) -> Iterator[Finding]:
    """Do the settings that are read late make sense: feeds, recipients, the pretended time?"""
    from pipeline.errors import ConfigurationError
    from pipeline.sources.registry import nightly_feeds

    wrong = []
    for look in (lambda: nightly_feeds(settings), lambda: read_routes(settings.alert_to)):
        try:
            look()
        except ConfigurationError as exc:
            wrong.append(str(exc))
    if wrong:
        yield Finding("settings", "fail", "; ".join(wrong), "see .env.example")
    elif settings.now_override is not None:
        yield Finding(
            "settings",
            "warn",
            f"TIDEMARK_NOW pretends that it is {settings.now():%Y-%m-%d %H:%M} UTC",
            "unset it, unless this is a sandbox",
        )
    else:
        yield Finding("settings", "ok", f"{len(nightly_feeds(settings))} feeds a night")


def keys(settings: Settings) -> Iterator[Finding]:
    """Which keys are set? What they are is never shown."""
    from pipeline.sources.vendors import VENDORS

    for vendor in VENDORS.values():
        if vendor.key_setting is None:
            continue
        variable = f"TIDEMARK_{vendor.key_setting.upper()}"
        if vendor.secret_headers(settings) is not None:
            yield Finding(f"key of {vendor.name}", "ok", f"{variable} is set")
        elif vendor.needs_key:
            yield Finding(
                f"key of {vendor.name}",
                "warn",
                f"{variable} is not set, so its feeds are left out",
                "a free key is enough; docs/sources.md says where",
            )
        else:
            yield Finding(f"key of {vendor.name}", "ok", f"{variable} is not set; it is optional")
