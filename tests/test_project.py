"""The files around the code say what the code does, and nothing that must not be said."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from pydantic import SecretStr

from pipeline import __version__
from pipeline.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-image.lock")

# Spelled in parts, so that this file does not hold what it looks for.
REGISTRY_HOSTS = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "npm" + "js.org",
    "npm" + "js.com",
    "deb." + "debian.org",
    "security." + "debian.org",
    "crates" + ".io",
    "proxy." + "golang.org",
]
MACHINE_PATHS = ["/" + "work/", "/" + "root/", "/" + "home/", "/" + "Users/", "/" + "opt/pypi"]


def tracked_files() -> list[Path]:
    """Files that git holds or would take, or all of them where there is no git."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    paths = (ROOT / name for name in listed.split("\0") if name)
    return [path for path in paths if path.is_file()]


def setting_names() -> dict[str, str]:
    """Map each variable of the environment to its field of ``Settings``."""
    return {
        str(field.validation_alias or f"TIDEMARK_{name.upper()}"): name
        for name, field in Settings.model_fields.items()
    }


def example_values() -> dict[str, str]:
    lines = re.findall(
        r"^#?(TIDEMARK_[A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE
    )
    assert len(lines) == len(dict(lines)), "a variable is listed twice"
    return dict(lines)


def pins_of(lock: str) -> list[Requirement]:
    return [
        Requirement(line.removesuffix("\\").strip())
        for line in (ROOT / lock).read_text().splitlines()
        if line and not line.startswith(("#", " "))
    ]


def test_env_example_lists_exactly_the_settings() -> None:
    assert set(example_values()) == set(setting_names())


def test_env_example_shows_the_defaults_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in setting_names():
        monkeypatch.delenv(variable, raising=False)
    defaults = Settings(_env_file=None)
    wrong = {}
    for variable, shown in example_values().items():
        field = setting_names()[variable]
        default = getattr(defaults, field)
        if default is None or isinstance(default, SecretStr) or field in {"sql_dir", "dags_dir"}:
            expected = ""
        elif isinstance(default, bool):
            expected = str(default).lower()
        else:
            expected = str(default).rstrip("/")
        if shown != expected:
            wrong[variable] = (shown, expected)
    assert not wrong


def test_env_example_sets_nothing_when_copied_as_it_is() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == []


def test_make_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())
    shown = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert set(re.findall(r"^  make ([a-z-]+) +\S", shown, re.MULTILINE)) == phony


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", ".ci/run"])
def test_make_commands_in_the_docs_exist(document: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())
    # at the start of a line or of a code span: prose may use the word
    text = (ROOT / document).read_text()
    named = set(re.findall(r"(?:^\s*|`)make ([a-z-]+)", text, re.MULTILINE))
    assert named <= phony


@pytest.fixture(scope="module")
def contents() -> dict[str, bytes]:
    return {str(path.relative_to(ROOT)): path.read_bytes() for path in tracked_files()}


@pytest.mark.parametrize("host", REGISTRY_HOSTS)
def test_no_file_names_a_package_registry(host: str, contents: dict[str, bytes]) -> None:
    assert [name for name, content in contents.items() if host.encode() in content] == []


@pytest.mark.parametrize("path", MACHINE_PATHS)
def test_no_file_names_a_path_of_a_machine(path: str, contents: dict[str, bytes]) -> None:
    # only where it starts: a URL or a relative path may hold the same letters
    pattern = re.compile(rb"(?<![\w.})])" + re.escape(path.encode()))
    assert [name for name, content in contents.items() if pattern.search(content)] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_pins_every_package_with_a_hash_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    entries = re.split(r"\n(?=[a-z0-9])", text)[1:]
    assert len(entries) > 100
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert [str(pin) for pin in pins_of(lock) if not str(pin.specifier).startswith("==")] == []


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("lock", LOCKS)
def test_lock_meets_what_the_project_asks_for(lock: str, python: str) -> None:
    environment = default_environment() | {
        "python_version": python,
        "python_full_version": f"{python}.0",
    }
    pinned = {
        pin.name.lower().replace("_", "-"): next(iter(pin.specifier)).version
        for pin in pins_of(lock)
        if pin.marker is None or pin.marker.evaluate(environment)
    }
    asked = [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"]]
    if lock == "requirements-dev.lock":
        asked += PROJECT["project"]["optional-dependencies"]["dev"]
    if lock == "requirements-image.lock":
        for extra in ("airflow-postgres", "celery"):
            asked += PROJECT["project"]["optional-dependencies"][extra]
    unmet = [
        line
        for line in asked
        if not (requirement := Requirement(line)).specifier.contains(
            pinned.get(requirement.name.lower().replace("_", "-"), "0")
        )
    ]
    assert unmet == [], "run: make lock"


@pytest.mark.parametrize("lock", LOCKS[1:])
def test_every_lock_pins_the_same_versions(lock: str) -> None:
    run, more = (
        {str(pin) for pin in pins_of(name) if pin.marker is None} for name in (LOCKS[0], lock)
    )
    assert run - more == set()


@pytest.mark.parametrize(
    "name", ["dags", "pipeline", "sql", "tests", "docker-compose.yml", "pyproject.toml"]
)
def test_top_level_is_where_users_expect_it(name: str) -> None:
    assert (ROOT / name).exists()


def test_the_longest_files_that_are_put_first_are_there(pytestconfig: pytest.Config) -> None:
    folder = Path(__file__).parent
    root = pytestconfig.pluginmanager.get_plugin(str(folder / "conftest.py"))
    assert root is not None
    assert root.LONGEST_FILES
    assert [name for name in root.LONGEST_FILES if not (folder / name).exists()] == []
    assert not getattr(pytestconfig.option, "loadscopereorder", False)


def test_version_is_the_same_everywhere() -> None:
    assert PROJECT["project"]["version"] == __version__


def test_pre_commit_hooks_are_local() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert {repository["repo"] for repository in config["repos"]} == {"local"}


def test_ci_runs_the_readme_test_command_last() -> None:
    commands = (ROOT / ".ci" / "run").read_text().strip().splitlines()
    assert commands[-1] == "make test"
    assert "make test" in (ROOT / "README.md").read_text()
