"""Airflow's services as processes, started again when they end, as a service manager does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from postgres import Postgres, free_port

DAGS_FOLDER = Path(__file__).resolve().parents[2] / "dags"


class Airflow:
    """api-server, scheduler, dag-processor and triggerer on a PostgreSQL."""

    def __init__(self, folder: Path, postgres: Postgres, environment: dict[str, str]) -> None:
        self.folder = folder
        folder.mkdir()
        self.port = free_port()
        self._environment = environment | {
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS_FOLDER),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "3",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{self.port}/execution/",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres.url,
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__SECRET_KEY": "of-this-test-only",
            "AIRFLOW__API_AUTH__JWT_SECRET": "of-this-test-only-and-of-enough-characters-" * 2,
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
            # A killed task is noticed by its heartbeat; in production that may take minutes.
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "20",
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "20",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "false",
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._started: list[subprocess.Popen[bytes]] = []
        self.starts: dict[str, int] = {}

    def call(self, *arguments: str) -> str:
        """Run ``airflow`` with arguments to its end and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    @property
    def password_file(self) -> Path:
        """Where Airflow keeps the password that it has drawn for ``admin``."""
        return self.folder / "simple_auth_manager_passwords.json.generated"

    def ask(self, path: str, **content: Any) -> Any:
        """Post to the REST API as ``admin``, who logs in with the password, and return the answer.

        Raises:
            urllib.error.HTTPError: It was refused.
        """
        known = json.loads(self.password_file.read_text())
        login = {"username": "admin", "password": known["admin"]}
        token = self._post("/auth/token", login)["access_token"]
        return self._post(path, content, {"Authorization": f"Bearer {token}"})

    def _post(self, path: str, content: Any, headers: dict[str, str] | None = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=json.dumps(content).encode(),
            headers={"Content-Type": "application/json", **(headers or {})},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def task_log_lines(self, dag_id: str) -> list[tuple[str, dict[str, Any]]]:
        """Return the lines of the logs of a DAG's tasks, each with the name of its task."""
        found = []
        for path in sorted((self.folder / "logs").glob(f"dag_id={dag_id}/**/*.log")):
            (task,) = (part for part in path.parts if part.startswith("task_id="))
            lines = path.read_text(errors="replace").splitlines()
            told = [json.loads(line) for line in lines if line.startswith("{")]
            found += [(task.removeprefix("task_id="), line) for line in told]
        return found

    def start(self) -> None:
        """Start every service, the API first, as tasks talk to it."""
        self.call("db", "migrate")
        self._start("api-server")
        deadline = time.monotonic() + 300
        while True:
            try:
                with urllib.request.urlopen(
                    f"http://127.0.0.1:{self.port}/api/v2/monitor/health", timeout=10
                ):
                    break
            except OSError:
                assert time.monotonic() < deadline, self.log("api-server")
                time.sleep(1)
        for name in ("dag-processor", "scheduler", "triggerer"):
            self._start(name)

    def _start(self, name: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", "airflow", name],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._started.append(self._running[name])
        self.starts[name] = self.starts.get(name, 0) + 1

    def restart_the_dead(self) -> None:
        """Start again what has ended; call it every few seconds."""
        for name, process in list(self._running.items()):
            if process.poll() is not None:
                self._kill_group(process.pid)
                self._start(name)

    def kill(self, name: str) -> None:
        """Kill a service and all that it has started, as the end of its container does."""
        process = self._running[name]
        self._kill_group(process.pid)
        process.wait()

    def stop(self) -> None:
        """Kill everything that was ever started."""
        self._running.clear()
        for process in self._started:
            self._kill_group(process.pid)
            process.wait()

    @staticmethod
    def _kill_group(group: int) -> None:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            return

    def log(self, name: str) -> str:
        """Return the end of a service's log."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-4000:]
