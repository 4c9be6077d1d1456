"""The pages that people read say what the code does: commands, links, queries, rules."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
import typer.main
from nights import NIGHTS, Home

from pipeline import steps
from pipeline.cli import app
from pipeline.datasets import DATASETS
from pipeline.errors import TidemarkError
from pipeline.importing import find_files, import_file
from pipeline.models import load_project
from pipeline.quality.definitions import rule_definitions
from pipeline.quality.rule_table import render_rules
from pipeline.quality.shares import MAX_SHARES
from pipeline.quality.suites import all_rules
from pipeline.settings import Settings
from pipeline.sources.http import HttpStatusError

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/howto/*.md"))
)
README = (ROOT / "README.md").read_text()
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
# A command starts a line (after a prompt or a variable), a code span, or follows &&.
_COMMAND = r"(?:^|`|&& |\bbin/)(?:\$ )?{name} ([^`\n]*)"


def read(page: str) -> str:
    return (ROOT / page).read_text()


def prose(text: str) -> str:
    return _FENCE.sub("", text)


def blocks(text: str, language: str) -> list[str]:
    return [body for name, body in _FENCE.findall(text) if name == language]


def commands(text: str, name: str) -> list[list[str]]:
    """Return the words after each mention of a command; prose may use the name freely."""
    shown = "\n".join(body for language, body in _FENCE.findall(text) if language != "sql")
    spans = "\n".join(f"`{span}`" for span in re.findall(r"`([^`]+)`", prose(text)))
    found = re.findall(_COMMAND.format(name=name), f"{shown}\n{spans}", re.MULTILINE)
    return [arguments.split() for arguments in found]


def slug(heading: str) -> str:
    text = re.sub(r"<[^>]*>|`", "", heading)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")


def anchors(text: str) -> set[str]:
    """Return what a link into a page may name: its headings and its explicit anchors."""
    headings = {slug(heading) for heading in _HEADING.findall(prose(text))}
    return headings | set(re.findall(r'<a id="([^"]+)">', text))


def wrong_command(words: list[str]) -> str | None:
    """Return what is wrong with a ``tidemark`` command line, or None."""
    command: Any = typer.main.get_command(app)
    rest = list(words)
    while rest and (rest[0].startswith("-") or hasattr(command, "commands")):
        word = rest.pop(0)
        options = {name for p in command.params for name in (*p.opts, *p.secondary_opts)}
        if word.startswith("-"):
            if word not in options | {"--help"}:
                return f"{command.name} has no option {word}"
        elif word in command.commands:
            command = command.commands[word]
        else:
            return f"there is no command {word}"
    options = {name for p in command.params for name in (*p.opts, *p.secondary_opts)}
    quoted = re.sub(r"\"[^\"]*\"|'[^']*'", "", " ".join(rest))
    unknown = set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", quoted)) - options - {"--help"}
    return f"{command.name} has no option {', '.join(sorted(unknown))}" if unknown else None


@pytest.mark.parametrize("page", PAGES)
def test_every_tidemark_command_exists(page: str) -> None:
    wrong = {
        " ".join(words): problem
        for words in commands(read(page), "tidemark")
        if (problem := wrong_command(words))
    }
    assert not wrong


def test_a_command_that_does_not_exist_is_found() -> None:
    assert commands("`tidemark fly --high` and tidemark swims", "tidemark") == [["fly", "--high"]]
    assert commands("```bash\n.venv/bin/tidemark fly\n```\n", "tidemark") == [["fly"]]
    assert wrong_command(["fly"])
    assert wrong_command(["build", "--high"])
    assert wrong_command(["sandbox", "fly"])
    assert wrong_command(["-v", "refresh", "--market-date", "2026-11-20"]) is None
    assert wrong_command(["query", '"select --1"']) is None


def test_the_pages_that_people_start_from_show_commands() -> None:
    for page in ("README.md", "docs/runbook.md", "docs/operations.md"):
        assert len(commands(read(page), "tidemark")) >= 5, page


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_exists(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    match = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert match is not None
    named = {words[0] for words in commands(read(page), "make") if words}
    assert {name for name in named if "=" not in name} <= set(match[1].split())


@pytest.mark.parametrize("page", PAGES)
def test_every_link_resolves(page: str) -> None:
    broken = []
    for target in _LINK.findall(prose(read(page))):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, fragment = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        if not path.exists() or (
            fragment and path.suffix == ".md" and fragment not in anchors(path.read_text())
        ):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES)
def test_no_anchor_is_given_twice(page: str) -> None:
    given = re.findall(r'<a id="([^"]+)">', read(page))
    assert sorted(given) == sorted(set(given))


# --- the README's tables and queries ----------------------------------------------------------


def readme_queries() -> list[str]:
    shell = [words for words in commands(README, "tidemark") if words[0] == "query"]
    return [*blocks(README, "sql"), *(" ".join(words[1:]).strip('"') for words in shell)]


@pytest.mark.parametrize("query", readme_queries())
def test_readme_query_runs_and_finds_something(query: str, loaded_home: Path) -> None:
    file = loaded_home / "published" / "tidemark.duckdb"
    with duckdb.connect(str(file), read_only=True) as connection:
        assert connection.execute(query).to_arrow_table().num_rows > 0


def run_program(program: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_readme_python_runs(loaded_home: Path, tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(loaded_home)
    (program,) = blocks(README, "python")
    assert "percentile" in run_program(program, tmp_path)


@pytest.mark.parametrize("query", blocks(RUNBOOK, "sql"))
def test_runbook_query_is_valid(query: str, loaded_home: Path) -> None:
    file = loaded_home / "published" / "tidemark.duckdb"
    with duckdb.connect(str(file), read_only=True) as connection:
        for statement in connection.extract_statements(query.replace("'data/", f"'{loaded_home}/")):
            connection.execute(statement)


def test_runbook_program_turns_landed_bytes_into_history(empty_home: Home, tmp_path: Path) -> None:
    night = NIGHTS[0]
    settings = empty_home.settings(night)
    steps.extract(settings, "market_daily", night, "night")
    (tmp_path / "data").symlink_to(empty_home.path)
    (program,) = blocks(RUNBOOK, "python")
    today = f"date({night.year}, {night.month}, {night.day})"
    run_program(program.replace("date(2026, 11, 20)", today), tmp_path)
    (file,) = find_files(tmp_path / "accepted")
    report = import_file(settings, file, "import")
    assert report.error is None
    assert report.added > 100


def test_readme_names_published_tables_only() -> None:
    models = load_project(Settings().sql_dir).models
    published = {name for name, model in models.items() if model.doc.is_published}
    named = set(re.findall(r"^\| `(\w+\.\w+)` \|", README, re.MULTILINE))
    assert named
    assert named <= published


def test_readme_lists_the_columns_of_every_raw_dataset() -> None:
    rows = dict(re.findall(r"^\| `(\w+_daily)` \| (.*) \|$", README, re.MULTILINE))
    assert set(rows) == set(DATASETS)
    above: set[str] = set()
    for name, dataset in DATASETS.items():
        key, others = rows[name].split(" | ")
        keys = set(re.findall(r"`(\w+)`", key)) or above
        above = keys
        converted = {theirs for theirs, _, _ in dataset.renamed}
        assert keys == set(dataset.key), name
        assert set(re.findall(r"`(\w+)`", others)) - converted == set(dataset.measures), name


# --- the runbook ------------------------------------------------------------------------------


def subclasses(kind: type[Exception]) -> set[type[Exception]]:
    found = set(kind.__subclasses__())
    return found.union(*(subclasses(child) for child in found))


def test_runbook_has_every_error() -> None:
    errors = {kind.__name__ for kind in subclasses(TidemarkError) | {HttpStatusError}}
    missing = {name for name in errors if name.lower() not in anchors(RUNBOOK)}
    assert not missing, "give each a section in docs/runbook.md"


def test_runbook_has_every_audit_and_no_other() -> None:
    audits = {audit.name.partition(".")[2] for audit in load_project(Settings().sql_dir).audits}
    section = RUNBOOK.partition("\n## Audits\n")[2].partition("\n## ")[0]
    described = {slug(heading) for heading in _HEADING.findall(section)}
    assert audits - described == set(), "give each a section under Audits in docs/runbook.md"
    assert described - audits == set(), "there are no such audits any more"


def runbook_rules() -> dict[str, tuple[str, str]]:
    rows = re.findall(
        r'^\| <a id="([^"]+)"></a>`([^`]+)` \| (\w+) \| (.+) '
        r"\| \[\w+\]\(#gate-\w+\) \| [a-z-]+ \|$",
        RUNBOOK,
        re.MULTILINE,
    )
    assert all(anchor == rule for anchor, rule, _, _ in rows)
    return {rule: (severity, sentence) for _, rule, severity, sentence in rows}


def test_runbook_has_every_rule_as_the_gate_states_it() -> None:
    assert render_rules() in RUNBOOK, "run make dictionary"
    stated = {rule.check_id: (rule.severity, rule.sentence) for rule in rule_definitions()}
    assert runbook_rules() == stated


def test_every_rule_has_an_owner_and_a_family_in_the_runbook() -> None:
    for rule in rule_definitions():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)+", rule.owner), rule.check_id
        assert f"gate-{rule.family}" in anchors(RUNBOOK), rule.check_id
        assert rule.runbook_anchor == f"docs/runbook.md#{rule.check_id}"


def test_published_definitions_are_every_rule_and_every_audit(loaded_home: Path) -> None:
    file = loaded_home / "published" / "tidemark.duckdb"
    with duckdb.connect(str(file), read_only=True) as connection:
        found = connection.execute(
            "select check_id, owner, runbook_anchor from quality.check_definition"
        ).fetchall()
        results = connection.execute(
            "select rule_id from quality.check_result union select audit from quality.audit_result"
        ).fetchall()
    ids = {check_id for check_id, _, _ in found}
    assert {rule.id for rule in all_rules()} < ids
    assert {check_id for (check_id,) in results} <= ids
    assert all(owner and anchor.partition("#")[2] in anchors(RUNBOOK) for _, owner, anchor in found)


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_runbook_states_the_declared_share_of_every_dataset(name: str) -> None:
    live, history = (f"{share:.0%}".replace("%", " %") for share in _shares(name))
    assert runbook_rules()[f"{name}.quarantine_share"] == (
        "critical",
        f"At most {live} of a night's rows, or {history} of an import's, go to quarantine.",
    )


def _shares(name: str) -> tuple[float, float]:
    return MAX_SHARES[name].live, MAX_SHARES[name].history
