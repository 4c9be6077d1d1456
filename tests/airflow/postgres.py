"""A PostgreSQL of one's own, from the binaries that Debian's packages bring."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import psycopg2

START_SECONDS = 60.0


def find_binaries() -> Path | None:
    """Return the folder with ``initdb`` and ``postgres``, or None where they are not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    named = shutil.which("initdb")
    if named is not None:
        found.append(Path(named).resolve())
    return next((path.parent for path in found if (path.parent / "postgres").exists()), None)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Postgres:
    """A server on loopback with its data in ``folder``, which its user may read."""

    def __init__(self, folder: Path) -> None:
        binaries = find_binaries()
        assert binaries is not None
        self._binaries, self._data, self._log = binaries, folder / "data", folder / "server.log"
        self.port = free_port()
        # PostgreSQL refuses to run as root; its package brings a user for it.
        self._user: dict[str, Any] = {"user": "postgres"} if os.getuid() == 0 else {}
        if self._user:
            shutil.chown(folder, "postgres")
        self._call("initdb", "-D", str(self._data), "-A", "trust", "-U", "tidemark", "--no-sync")
        self._server: subprocess.Popen[bytes] | None = None
        self.start()
        connection = self.connect("postgres")
        connection.autocommit = True
        connection.cursor().execute("create database airflow")
        connection.close()

    @property
    def url(self) -> str:
        """The address that Airflow takes."""
        return f"postgresql+psycopg2://tidemark@127.0.0.1:{self.port}/airflow"

    def _call(self, name: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._binaries / name), *arguments],
            check=True,
            capture_output=True,
            cwd="/",
            **self._user,
        )

    def start(self) -> None:
        """Start the server and wait until it answers."""
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                [
                    str(self._binaries / "postgres"),
                    *("-D", str(self._data), "-p", str(self.port)),
                    *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
                    *("-c", "max_connections=200"),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                **self._user,
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.connect("postgres").close()
            except psycopg2.OperationalError:
                assert time.monotonic() < deadline, self._log.read_text()
                time.sleep(0.2)
            else:
                return

    def kill(self) -> None:
        """Kill it as a power cut would."""
        assert self._server is not None
        self._server.send_signal(signal.SIGKILL)
        self._server.wait()

    def connect(self, database: str = "airflow") -> Any:
        return psycopg2.connect(
            host="127.0.0.1", port=self.port, user="tidemark", dbname=database, connect_timeout=5
        )

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query on Airflow's database."""
        connection = self.connect()
        try:
            cursor = connection.cursor()
            cursor.execute(sql, values)
            return list(cursor.fetchall())
        finally:
            connection.close()

    def everything(self) -> str:
        """Return every row of every table as text."""
        tables = self.query(
            "select quote_ident(table_name) from information_schema.tables "
            "where table_schema = 'public' and table_type = 'BASE TABLE'"
        )
        assert len(tables) > 30
        rows = [self.query(f"select t::text from {table} as t") for (table,) in tables]
        return "\n".join(str(row) for table in rows for (row,) in table)
