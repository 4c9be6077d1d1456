"""Fixtures of all tests, and the guard that keeps them off the network."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cli_runner import run
from filelock import FileLock
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from nights import (
    COIN_COUNT,
    FIRST_DAY,
    NIGHTS,
    SEED,
    Home,
    Mailbox,
    copy_home,
    load_history,
)
from nights import running_mailbox as open_mailbox
from small_project import write_small_project

from pipeline.sandbox.faults import FaultBoard
from pipeline.sandbox.server import Sandbox, create_server
from pipeline.settings import Settings

__all__ = ["run"]

# How long an example takes, to be drawn or to be run, depends on what else the machine does.
_UNTIMED = hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# A change passes or fails by what it changed: the same examples are drawn each time, and others
# by `make explore`.
hypothesis_settings.register_profile("same", _UNTIMED, derandomize=True)
hypothesis_settings.register_profile("other", _UNTIMED)
hypothesis_settings.load_profile("same")


class NetworkUsedError(RuntimeError):
    """A test tried to reach beyond this machine; not an OSError, so nobody handles it."""


def _is_local(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else str(host)
    # A mail client asks for the name of its own machine.
    if name in {"", "localhost", "None", socket.gethostname()}:
        return True
    try:
        address = ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _guard(event: str, arguments: tuple[Any, ...]) -> None:
    if event in {"socket.connect", "socket.sendto"}:
        address = arguments[1]
        if isinstance(address, tuple) and not _is_local(address[0]):
            raise NetworkUsedError(f"{event} to {address}")
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"} and not _is_local(arguments[0]):
        raise NetworkUsedError(f"{event} of {arguments[0]}")


sys.addaudithook(_guard)

LONGEST_FILES = (
    "archive/test_archive_claims.py",
    "sql/test_market_properties.py",
    "chaos/test_chaos.py",
    "dags/test_market_nightly.py",
    "test_night_faults.py",
    "test_night.py",
    "sql/test_point_in_time.py",
    "test_night_kills.py",
    "sql/test_thread_determinism.py",
    "signals/test_market_signals_contract.py",
    "signals/test_planted_truths.py",
    "oracle/test_index_oracle.py",
    "mutations/test_audited_nights.py",
    "faults/test_fault_matrix_page.py",
    "test_cli.py",
    "dags/test_market_backfill.py",
)
"""Where most of the time goes, the longest first."""


def pytest_configure(config: pytest.Config) -> None:
    """Have the workers take the files in our order, not those with the most tests first."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first, so that no worker is left alone with one at the end."""
    folder = Path(__file__).parent
    places = {folder / name: place for place, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the developer's own settings out of every test, and the report out of its nights.

    Its pages take longer than a night; tests/report has them.
    """
    for name in list(os.environ):
        if name.startswith("TIDEMARK_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TIDEMARK_REPORT_ENABLED", "false")


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """A small simulated market behind the vendors' APIs."""
    with create_server(SEED, first_day=FIRST_DAY, coin_count=COIN_COUNT, slow_seconds=2) as server:
        yield server


@pytest.fixture
def faults(sandbox: Sandbox) -> Iterator[FaultBoard]:
    """The sandbox's faults, cured again after the test."""
    yield sandbox.faults
    sandbox.faults.clear()


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of the test run share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


def _make_once(target: Path, make: Callable[[Path], None]) -> Path:
    """Make ``target`` unless another worker has; it is the same whoever makes it."""
    with FileLock(target.with_suffix(".lock")):
        if not target.exists():
            unfinished = target.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            make(unfinished)
            unfinished.rename(target)
    return target


@pytest.fixture(scope="session")
def loaded_home(sandbox: Sandbox, shared_folder: Path) -> Path:
    """A home with the simulated history and one published build; copy it, never change it."""

    def make(path: Path) -> None:
        load_history(sandbox, Home(path), path.parent / "history")

    return _make_once(shared_folder / "loaded-home", make)


@pytest.fixture(scope="session")
def three_nights_path(sandbox: Sandbox, loaded_home: Path, shared_folder: Path) -> Path:
    """A home after the history and three nights; copy it, never change it."""

    def make(path: Path) -> None:
        home = copy_home(loaded_home, path, sandbox)
        for night in NIGHTS[:3]:
            home.refresh(night)

    return _make_once(shared_folder / "three-nights", make)


@pytest.fixture(scope="session")
def small_sql_dir(shared_folder: Path) -> Path:
    """The SQL of few models, for nights that have to be whole and may be small; never change it."""

    def make(path: Path) -> None:
        write_small_project(Settings(_env_file=None).sql_dir, path)

    return _make_once(shared_folder / "small-sql", make)


@pytest.fixture(scope="session")
def small_night_path(
    sandbox: Sandbox, loaded_home: Path, small_sql_dir: Path, shared_folder: Path
) -> Path:
    """A home after the history and a night on few models; copy it, never change it."""

    def make(path: Path) -> None:
        copy_home(loaded_home, path, sandbox, sql_dir=small_sql_dir).refresh(NIGHTS[0])

    return _make_once(shared_folder / "small-night", make)


@pytest.fixture
def home(loaded_home: Path, sandbox: Sandbox, faults: FaultBoard, tmp_path: Path) -> Home:
    """A home of one's own with the simulated history, a published build and live vendors."""
    assert not faults
    return copy_home(loaded_home, tmp_path / "home", sandbox)


@pytest.fixture
def small_home(home: Home, small_sql_dir: Path) -> Home:
    """The same, whose nights build few models: half the time of a night on all."""
    return Home(home.path, home.sandbox, {"sql_dir": small_sql_dir})


@pytest.fixture
def three_nights(
    three_nights_path: Path, sandbox: Sandbox, faults: FaultBoard, tmp_path: Path
) -> Home:
    """A home of one's own after the history and three nights."""
    assert not faults
    return copy_home(three_nights_path, tmp_path / "home", sandbox)


@pytest.fixture
def empty_home(sandbox: Sandbox, faults: FaultBoard, tmp_path: Path) -> Home:
    """A home with nothing in it yet, and live vendors."""
    assert not faults
    return Home(tmp_path / "home", sandbox)


@pytest.fixture
def make_settings(tmp_path: Path) -> Callable[..., Settings]:
    """Make settings in a home of one's own; vendors are not set up."""

    def make(**overrides: Any) -> Settings:
        return Settings(_env_file=None, **({"home": tmp_path / "home", "threads": 2} | overrides))

    return make


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A mail server on loopback."""
    with open_mailbox() as box:
        yield box
