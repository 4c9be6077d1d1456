"""Backups: whole or not there, beside a night, and restored to the same figures."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cli_runner import Run, one_sentence
from nights import NIGHTS, Home, sha256_of_files

from pipeline import backup, restoring, steps
from pipeline.backup import ARCHIVES, Backup, check_backup, find_backup, make_backup
from pipeline.datasets import DATASETS
from pipeline.diff import diff_files
from pipeline.errors import BackupError, ConfigurationError, LockedError
from pipeline.lock import run_lock
from pipeline.models import load_project
from pipeline.raw_store import RawStore
from pipeline.restoring import restore_backup
from pipeline.settings import Settings

MakeSettings = Callable[..., Settings]


class CutError(Exception):
    """Somebody pulled the plug."""


def write_home(home: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


SMALL = {
    "landing/market_daily/x/2024-01-01/all-1.json.gz": "body",
    "landing/market_daily/x/2024-01-01/t-all-1.meta.json": "sidecar",
    "ledger/index_level_daily/a.parquet": "level",
    "raw/market_daily/x/a.parquet": "rows",
    "published/tidemark.duckdb": "made again",
    "state/budget.json": "for a while",
    "raw/market_daily/x/.b.parquet.tmp": "half",
}
KEPT = {
    name: text
    for name, text in SMALL.items()
    if name.partition("/")[0] in ARCHIVES and not name.endswith(".tmp")
}


@pytest.fixture
def settings(make_settings: MakeSettings) -> Settings:
    """A home with a file of each kind."""
    made = make_settings()
    write_home(made.home, SMALL)
    return made


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def cut_after(count: int) -> Callable[[int, int], None]:
    def on_file(done: int, _: int) -> None:
        if done == count:
            raise CutError

    return on_file


# The whole way


@pytest.mark.slow
def test_an_empty_machine_comes_to_the_same_figures(three_nights: Home, tmp_path: Path) -> None:
    night = NIGHTS[2]
    before = three_nights.settings(night)
    made = make_backup(before, tmp_path / "disk", "backup")
    check_backup(made)
    # The machine is gone; another has its home elsewhere and nothing in it.
    kept = tmp_path / "kept.duckdb"
    shutil.copy(before.published_file, kept)
    levels = three_nights.index_rows()
    archives = {name: sha256_of_files(before.home / name) for name in ARCHIVES}
    shutil.rmtree(before.home)
    after = Home(tmp_path / "elsewhere" / "home").settings(night)
    restore_backup(after, find_backup(tmp_path / "disk"), "restore")
    assert {name: sha256_of_files(after.home / name) for name in ARCHIVES} == archives
    built = steps.build(after, night, "rebuild")
    steps.publish(after, steps.audit(after, built))
    models = load_project(after.sql_dir).models
    grains = {model.name: model.doc.grain for model in models.values()}
    found = diff_files(kept, after.published_file, grains)
    assert (found.tables, found.added_tables, found.removed_tables) == ((), (), ())
    assert len(found.same_tables) > 80
    assert Home(after.home).index_rows() == levels
    # What was first said on each night is still that, and the next night goes on from it.
    assert json.loads((after.published_dir / "manifest.json").read_bytes())["publication"] == 1
    steps.refresh(Home(after.home, three_nights.sandbox).settings(NIGHTS[3]), NIGHTS[3], "next")
    assert Home(after.home).last_day() == NIGHTS[3]


def test_figures_of_a_restored_home_differ_when_a_row_is_lost(
    three_nights: Home, tmp_path: Path
) -> None:
    """The comparison above is one that can fail."""
    kept = tmp_path / "kept.duckdb"
    shutil.copy(three_nights.file, kept)
    settings = three_nights.settings(NIGHTS[2])
    newest = max((settings.raw_dir / "market_daily").rglob("*.parquet"), key=lambda path: path.name)
    newest.unlink()
    built = steps.build(settings, NIGHTS[2], "rebuild", only=["indices.index_level_daily"])
    file = settings.builds_dir / built["build_id"] / "build.duckdb"
    assert "indices.index_level_daily" in {each.table for each in diff_files(kept, file, {}).tables}


# Making one


def test_a_backup_holds_the_archives_and_nothing_else(settings: Settings, tmp_path: Path) -> None:
    made = make_backup(settings, tmp_path / "disk", "backup")
    assert contents(made.folder / "files") == KEPT
    assert {file.path for file in made.files} == set(KEPT)
    left = contents(settings.home).keys() - {".lock", ".backup.lock"}
    assert left == {name for name in SMALL if not name.endswith(".tmp")}


def test_a_second_backup_copies_what_is_new(settings: Settings, tmp_path: Path) -> None:
    first = make_backup(settings, tmp_path / "disk", "backup")
    write_home(settings.home, {"raw/market_daily/x/b.parquet": "more rows"})
    second = make_backup(settings, tmp_path / "disk", "backup")
    assert second.folder != first.folder
    copied = {file.path for file in second.files if second.path_of(file).stat().st_nlink == 1}
    assert copied == {"raw/market_daily/x/b.parquet"}
    check_backup(first)
    check_backup(second)


def test_a_file_that_was_rewritten_is_copied_anew(settings: Settings, tmp_path: Path) -> None:
    write_home(settings.home, {"journal/run/a.json": "begun"})
    first = make_backup(settings, tmp_path / "disk", "backup")
    replaced = settings.home / "journal/run/a.json.new"
    replaced.write_text("ended")
    os.utime(replaced, ns=(1, 1))
    replaced.rename(settings.home / "journal/run/a.json")
    second = make_backup(settings, tmp_path / "disk", "backup")
    assert contents(first.folder / "files")["journal/run/a.json"] == "begun"
    assert contents(second.folder / "files")["journal/run/a.json"] == "ended"


def test_what_a_night_does_meanwhile_is_not_in_it(settings: Settings, tmp_path: Path) -> None:
    def work(done: int, _: int) -> None:
        with run_lock(settings.home, run_id="night"):
            write_home(settings.home, {f"raw/market_daily/x/night-{done}.parquet": "rows"})
            (settings.home / "raw/market_daily/x/a.parquet").unlink(missing_ok=True)

    made = make_backup(settings, tmp_path / "disk", "backup", on_file=work)
    assert contents(made.folder / "files") == KEPT


def test_a_compaction_meanwhile_leaves_the_backup_whole(three_nights: Home, tmp_path: Path) -> None:
    settings = three_nights.settings(NIGHTS[2])
    store, dataset = RawStore(settings.raw_dir), DATASETS["market_daily"]
    parts = store.parts(dataset)

    def compact(done: int, _: int) -> None:
        if done == 1:
            with run_lock(settings.home, run_id="compact"):
                assert store.compact(dataset, at_least=2) > 0

    made = make_backup(settings, tmp_path / "disk", "backup", on_file=compact)
    assert RawStore(made.folder / "files" / "raw").parts(dataset) == parts
    assert store.parts(dataset) == parts


def test_a_body_that_lands_while_it_looks_is_there_with_its_sidecar(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk = backup._files_below
    folder = "landing/market_daily/x/2024-01-01"
    late = {f"{folder}/a-late.json.gz": "late body", f"{folder}/z-late.meta.json": "late"}

    def files_below(root: Path) -> list[Path]:
        found = list(walk(root))
        if root.name == "landing":
            # After the look at a-late's place, before that at z-late's.
            write_home(settings.home, late)
        return found

    monkeypatch.setattr(backup, "_files_below", files_below)
    made = {file.path for file in make_backup(settings, tmp_path / "disk", "backup").files}
    assert {name for name in made if name.endswith(".meta.json")} == {
        name for name in KEPT if name.endswith(".meta.json")
    }


def test_a_running_night_is_waited_for_or_told(settings: Settings, tmp_path: Path) -> None:
    holding, ending = threading.Event(), threading.Event()

    def night() -> None:
        with run_lock(settings.home, run_id="night"):
            holding.set()
            ending.wait(30)

    thread = threading.Thread(target=night)
    thread.start()
    try:
        assert holding.wait(30)
        with pytest.raises(LockedError, match="run night"):
            make_backup(settings, tmp_path / "disk", "backup")
        assert list((tmp_path / "disk").glob("[!.]*")) == []
        threading.Timer(0.2, ending.set).start()
        assert make_backup(settings, tmp_path / "disk", "backup", wait_seconds=30).files
    finally:
        ending.set()
        thread.join()


@pytest.mark.parametrize("count", [1, len(KEPT)])
def test_a_cut_leaves_the_backups_before_and_no_half(
    settings: Settings, tmp_path: Path, count: int
) -> None:
    first = make_backup(settings, tmp_path / "disk", "backup")
    write_home(settings.home, {"raw/market_daily/x/b.parquet": "more rows"})
    with pytest.raises(CutError):
        make_backup(settings, tmp_path / "disk", "backup", on_file=cut_after(count))
    assert find_backup(tmp_path / "disk").folder == first.folder
    check_backup(first)
    again = make_backup(settings, tmp_path / "disk", "backup")
    assert {file.path for file in again.files} == {*KEPT, "raw/market_daily/x/b.parquet"}
    assert list((tmp_path / "disk").glob(".unfinished-*")) == []
    assert not (settings.home / ".backup").exists()


def test_a_disk_without_links_gets_copies(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    make_backup(settings, tmp_path / "disk", "backup")
    second = make_backup(settings, tmp_path / "disk", "backup")
    assert contents(second.folder / "files") == KEPT


def test_only_so_many_are_kept(settings: Settings, tmp_path: Path) -> None:
    settings = settings.model_copy(update={"now_override": datetime(2026, 5, 1, tzinfo=UTC)})
    made = [make_backup(settings, tmp_path / "disk", "backup", keep=2) for _ in range(4)]
    assert [each.folder.exists() for each in made] == [False, False, True, True]
    check_backup(made[-1])


def test_a_damaged_backup_before_costs_only_the_copying(settings: Settings, tmp_path: Path) -> None:
    first = make_backup(settings, tmp_path / "disk", "backup")
    (first.folder / "backup.json").write_text("{")
    check_backup(make_backup(settings, tmp_path / "disk", "backup"))


def test_a_place_that_cannot_hold_backups_is_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="inside the home"):
        make_backup(settings, settings.home / "backups", "backup")
    (tmp_path / "file").write_text("")
    with pytest.raises(BackupError, match="cannot be written"):
        make_backup(settings, tmp_path / "file", "backup")


def test_a_home_without_archives_is_not_backed_up(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=r"nothing in .* to back up"):
        make_backup(make_settings(), tmp_path / "disk", "backup")


# Putting it back


@pytest.fixture
def made(settings: Settings, tmp_path: Path) -> Backup:
    """A backup of the small home."""
    return make_backup(settings, tmp_path / "disk", "backup")


@pytest.fixture
def empty(make_settings: MakeSettings, tmp_path: Path) -> Settings:
    """Settings of a home that is not there yet."""
    return make_settings(home=tmp_path / "new" / "home")


def restored(settings: Settings) -> dict[str, str]:
    return {name: text for name, text in contents(settings.home).items() if "lock" not in name}


def test_a_restored_home_has_what_was_backed_up(made: Backup, empty: Settings) -> None:
    assert restore_backup(empty, made, "restore") == len(KEPT)
    assert restored(empty) == KEPT
    times = {file.path: (empty.home / file.path).stat().st_mtime_ns for file in made.files}
    assert times == {file.path: file.modified_ns for file in made.files}


def test_empty_folders_are_no_content(made: Backup, empty: Settings) -> None:
    (empty.home / "raw" / "market_daily").mkdir(parents=True)
    (empty.home / "state").mkdir()
    restore_backup(empty, made, "restore")
    assert restored(empty) == KEPT


@pytest.mark.parametrize("name", ["raw/a.parquet", "published/tidemark.duckdb", "note.txt"])
def test_a_home_that_holds_something_is_left_alone(
    made: Backup, empty: Settings, name: str
) -> None:
    write_home(empty.home, {name: "mine"})
    with pytest.raises(ConfigurationError, match="not empty"):
        restore_backup(empty, made, "restore")
    assert contents(empty.home) == {name: "mine"}


@pytest.mark.parametrize("harm", ["changed", "cut", "gone"])
def test_of_a_damaged_backup_nothing_is_restored(made: Backup, empty: Settings, harm: str) -> None:
    file = next(file for file in made.files if file.path.startswith("raw/"))
    path = made.path_of(file)
    if harm == "gone":
        path.unlink()
    else:
        path.write_text("ROWS" if harm == "changed" else "ro")
    with pytest.raises(BackupError, match=r"raw/market_daily/x/a\.parquet"):
        check_backup(made)
    with pytest.raises(BackupError, match="nothing was restored"):
        restore_backup(empty, made, "restore")
    assert not any((empty.home / name).exists() for name in ARCHIVES)


def test_a_manifest_that_was_changed_is_refused(made: Backup) -> None:
    path = made.folder / "backup.json"
    path.write_text(path.read_text().replace('"bytes": 4', '"bytes": 5'))
    with pytest.raises(BackupError, match="sha256 differs"):
        find_backup(made.folder)
    path.write_text("[]")
    with pytest.raises(BackupError, match="cannot be read"):
        find_backup(made.folder)


def rewrite(made: Backup, **changes: object) -> None:
    """Change a manifest as one who may write it would."""
    path = made.folder / "backup.json"
    content = json.loads(path.read_bytes()) | changes
    content.pop("sha256")
    path.write_text(json.dumps(content | {"sha256": backup._digest(content)}))


def test_a_newer_format_is_refused(made: Backup) -> None:
    rewrite(made, format=backup.FORMAT + 1, tidemark_version="9.9.9")
    with pytest.raises(ConfigurationError, match=r"format 2, made by Tidemark 9\.9\.9"):
        find_backup(made.folder)


@pytest.mark.parametrize("path", ["raw/../../evil", "/etc/evil", "evil", "state/a", "raw\\..\\e"])
def test_no_file_leads_out_of_the_home(made: Backup, path: str) -> None:
    rewrite(made, files=[{"path": path, "bytes": 0, "modified_ns": 0, "sha256": ""}])
    with pytest.raises(BackupError, match="no file of an archive"):
        find_backup(made.folder)


@pytest.mark.parametrize("count", [1, len(KEPT)])
def test_the_same_command_goes_on_after_a_cut(
    made: Backup, empty: Settings, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CutError):
        restore_backup(empty, made, "restore", on_file=cut_after(count))
    assert not any((empty.home / name).exists() for name in ARCHIVES)
    copied = []
    copy = restoring.copy_with_digest
    monkeypatch.setattr(
        restoring,
        "copy_with_digest",
        lambda source, target: copied.append(target) or copy(source, target),
    )
    restore_backup(empty, made, "restore")
    assert len(copied) == len(KEPT) - count
    assert restored(empty) == KEPT


@pytest.mark.parametrize("place", range(3))
def test_a_cut_between_the_renames_is_made_good(
    made: Backup, empty: Settings, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, left = Path.rename, [place]

    def cut(path: Path, target: Path) -> Path:
        if path.parent.name == restoring.STAGING:
            if not left[0]:
                raise CutError
            left[0] -= 1
        return rename(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", cut)
        with pytest.raises(CutError):
            restore_backup(empty, made, "restore")
    # Nothing can be built of half of it.
    assert not (empty.home / "raw").exists()
    restore_backup(empty, made, "restore")
    assert restored(empty) == KEPT


def test_a_cut_restore_gives_way_to_that_of_another_backup(
    made: Backup, settings: Settings, empty: Settings, tmp_path: Path
) -> None:
    write_home(settings.home, {"raw/market_daily/x/b.parquet": "more rows"})
    newer = make_backup(settings, tmp_path / "disk", "backup")
    with pytest.raises(CutError):
        restore_backup(empty, newer, "restore", on_file=cut_after(len(newer.files)))
    restore_backup(empty, made, "restore")
    assert restored(empty) == KEPT


# The commands


def test_the_commands_say_what_they_did(run: Run, three_nights: Home, tmp_path: Path) -> None:
    disk = str(tmp_path / "disk")
    said = run("backup", disk, "--check", "--keep", "3", home=three_nights)
    assert said.code == 0, said
    assert "and read them back" in said.out
    refused = one_sentence(run("restore", disk, home=three_nights), 2)
    assert "not empty" in refused
    other = Home(tmp_path / "other")
    said = run("restore", disk, home=other)
    assert said.code == 0, said
    assert "`tidemark build`" in said.out
    nothing = one_sentence(run("restore", str(tmp_path), home=Home(tmp_path / "third")), 2)
    assert "no whole backup" in nothing
