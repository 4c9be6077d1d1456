"""One installation of docker-compose.yml in a folder of its own, and what a test asks of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from images import list_image_lines

ROOT = Path(__file__).resolve().parents[2]
PORTS = {
    "AIRFLOW_PORT": 18080,
    "SITE_PORT": 18081,
    "MAIL_PORT": 18025,
    "SANDBOX_PORT": 18089,
    "SUPERSET_PORT": 18088,
}
FIRST_DAY = date(2026, 6, 1)
# What a vendor key may look like; it must show up nowhere.
CANARY = "canary-3f9c1d7ae2"
# Kills the children of a container's first process, as a crash would: `docker kill` is no crash.
_CRASH = (
    "for f in $(grep -lE '^PPid:[[:space:]]*1$' /proc/[0-9]*/status);"
    " do f=${f%/status}; kill -9 ${f#/proc/}; done"
)


def last_due() -> datetime:
    """Return when the last scheduled night was due."""
    now = datetime.now(UTC)
    due = now.replace(hour=1, minute=0, second=0, microsecond=0)
    return due if due <= now else due - timedelta(days=1)


def market_date() -> date:
    """Return the day that the last scheduled night is for."""
    return last_due().date() - timedelta(days=1)


@dataclass
class Stack:
    """A running installation; ``folder`` holds a copy of the checkout and its ``.env``."""

    folder: Path
    token: str = ""

    def compose(self, *arguments: str, timeout: float = 600, is_checked: bool = True) -> str:
        """Run ``docker compose`` and return what it prints."""
        done = subprocess.run(
            ["docker", "compose", "--ansi=never", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if is_checked and done.returncode:
            raise AssertionError(
                f"docker compose {' '.join(arguments)}:\n{(done.stdout + done.stderr)[-4000:]}"
            )
        return done.stdout

    def start_profiles(self, *profiles: str) -> None:
        """Start what the profiles add, building what is missing."""
        path = self.folder / ".env"
        path.write_text(f"{path.read_text()}COMPOSE_PROFILES={','.join(profiles)}\n")
        self.compose("up", "--detach", "--wait", "--build", timeout=1800)

    def run(self, service: str, *command: str, index: int = 1) -> str:
        """Run a command in a service's container."""
        return self.compose("exec", "-T", f"--index={index}", service, *command)

    def is_refused(self, service: str, *command: str) -> bool:
        """Return whether a command fails in a service's container for want of rights."""
        done = subprocess.run(
            ["docker", "compose", "exec", "-T", service, *command],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode != 0 and "ead-only file system" in done.stderr

    def crash(self, service: str, *, index: int = 1, user: str = "tidemark") -> None:
        """Kill what a container runs; its restart policy starts it again."""
        self.compose(
            "exec", "-T", f"--index={index}", "-u", user, service, "sh", "-c", _CRASH,
            is_checked=False,
        )  # fmt: skip

    def query(self, statement: str) -> list[list[str]]:
        """Ask Airflow's database."""
        told = self.run(
            "postgres", "psql", "-U", "airflow", "-At", "-F", "\t", "-c", statement
        ).splitlines()
        return [line.split("\t") for line in told]

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Call Airflow's API."""
        return fetch(
            f"http://localhost:{PORTS['AIRFLOW_PORT']}{path}", method, body, token=self.token
        )

    def log_in(self) -> None:
        """Get a token with the password that the first start made."""
        logins = json.loads(self.run("api-server", "cat", "/secrets/web/passwords.json"))
        account = {"username": "admin", "password": logins["admin"]}
        self.token = self.call("POST", "/auth/token", account)["access_token"]

    def unpause(self, dag_id: str) -> None:
        """Let a DAG's runs begin, once it is read; that also runs the last one that was due."""

        def is_read() -> str:
            try:
                return str(self.call("GET", f"/api/v2/dags/{dag_id}")["dag_id"])
            except HTTPError as exc:
                if exc.code != 404:
                    raise
                return ""

        wait_for(is_read, 120, f"the DAG processor did not read {dag_id}")
        self.call("PATCH", f"/api/v2/dags/{dag_id}?update_mask=is_paused", {"is_paused": False})

    def trigger(self, dag_id: str, parameters: dict[str, Any]) -> str:
        """Start a run by hand and return its id."""
        body = {"logical_date": None, "conf": parameters}
        return str(self.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def tasks(self, run_id: str, like: str = "%") -> list[dict[str, str]]:
        """Return a run's task instances whose id is like a pattern, in order of their start."""
        columns = ("task_id", "map_index", "state", "try_number", "hostname", "start_date")
        rows = self.query(
            f"select {', '.join(columns)} from task_instance where run_id = '{run_id}'"
            f" and task_id like '{like}' order by start_date nulls last"
        )
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def state(self, run_id: str) -> str:
        """Return a run's state."""
        rows = self.query(f"select state from dag_run where run_id = '{run_id}'")
        return rows[0][0] if rows else ""

    def nightly_run(self) -> str:
        """Wait for the scheduler's own run of the night that was due, and return its id."""

        def found() -> str:
            rows = self.query(
                "select run_id from dag_run"
                " where dag_id = 'market_nightly' and run_type = 'scheduled'"
            )
            return rows[0][0] if rows else ""

        return wait_for(found, 180, "the scheduler started no run")

    def wait_for_end(self, run_id: str, seconds: float = 1500) -> str:
        """Wait until a run has ended, and return its state."""

        def ended() -> str:
            try:
                state = self.state(run_id)
            except AssertionError:  # the database may be starting again
                return ""
            return state if state in ("success", "failed") else ""

        return wait_for(ended, seconds, f"{run_id} did not end", lambda: str(self.tasks(run_id)))

    def mails(self) -> list[dict[str, Any]]:
        """Return the mails that were caught, in full."""
        root = f"http://localhost:{PORTS['MAIL_PORT']}/api/v1"
        listed = fetch(f"{root}/messages")["messages"]
        return [fetch(f"{root}/message/{mail['ID']}") for mail in listed]

    def set_faults(self, faults: dict[str, str | None]) -> None:
        """Have the simulated vendors fail, or None to mend them."""
        fetch(f"http://localhost:{PORTS['SANDBOX_PORT']}/_sandbox/faults", "PUT", faults)

    def manifest(self) -> dict[str, Any]:
        """Return the manifest of what is published."""
        return dict(json.loads(self.run("scheduler", "cat", "/data/published/manifest.json")))

    def ask(self, statement: str) -> list[dict[str, Any]]:
        """Ask the published file."""
        told = self.run("scheduler", "tidemark", "query", "--json", statement)
        return list(json.loads(told))


def fetch(url: str, method: str = "GET", body: object = None, *, token: str = "") -> Any:
    """Ask a JSON API on this machine."""
    request = Request(url, method=method, headers={"Content-Type": "application/json"})
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    if body is not None:
        request.data = json.dumps(body).encode()
    with urlopen(request, timeout=60) as answer:
        return json.load(answer)


def wait_for(
    check: Callable[[], str], seconds: float, complaint: str, more: Callable[[], str] = str
) -> str:
    """Return what ``check`` gives once it is not empty."""
    deadline = time.monotonic() + seconds
    while not (value := check()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{complaint} in {seconds:.0f} s: {more()}")
        time.sleep(2)
    return value


@contextmanager
def running_stack(
    folder: Path, profiles: Sequence[str] = ("sandbox",), more: Sequence[str] = ()
) -> Iterator[Stack]:
    """Copy the checkout, take ``.env.example`` as it is with the test's lines, start, and clean up.

    Args:
        folder: Gets the copy.
        profiles: Of the compose file.
        more: Further lines of ``.env``.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    now = f"{last_due() + timedelta(minutes=30):%Y-%m-%dT%H:%M:%SZ}"
    lines = [
        "COMPOSE_PROJECT_NAME=tidemark-test",
        f"COMPOSE_PROFILES={','.join(profiles)}",
        *(f"{name}={port}" for name, port in PORTS.items()),
        *list_image_lines(),
        f"SANDBOX_FIRST_DAY={FIRST_DAY}",
        f"TIDEMARK_NOW={now}",
        f"TIDEMARK_VENDOR_ROOT_URL=http://sandbox:8089/at/{now}",
        "TIDEMARK_VENDOR_PACE=0",
        f"TIDEMARK_COINGECKO_DEMO_KEY={CANARY}",
        *more,
    ]
    example = (folder / ".env.example").read_text()
    (folder / ".env").write_text("\n".join([example, *lines, ""]))
    stack = Stack(folder)
    try:
        stack.compose("build", "prepare", timeout=1200)
        stack.compose("up", "--detach", "--wait", "--no-build")
        stack.log_in()
        yield stack
    finally:
        stack.compose("down", "--volumes", "--timeout=0", is_checked=False)
