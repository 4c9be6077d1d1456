"""Make the secrets of an installation: ``python -m pipeline.deployment.first_start FOLDER``.

Each container mounts only the folder that it needs:

    airflow/    fernet_key, jwt_secret, api_secret_key, database_url, broker_url, result_backend_url
    database/   password
    broker/     redis.conf
    web/        passwords.json      of the users of Airflow's pages
    superset/   secret_key, password

Files have mode 0600. One that is there is kept, so a second run changes nothing.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

from pipeline.files import write_bytes_atomically

_TOKEN_BYTES = 48
_LOGIN_BYTES = 18
WEB_USER = "admin"


def _keep(path: Path, make: Callable[[], str]) -> str:
    """Return what a file holds, and write it first where it is missing or empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    if not path.exists() or not path.stat().st_size:
        write_bytes_atomically(path, make().encode())
    path.chmod(0o600)
    return path.read_text()


def _token() -> str:
    return secrets.token_urlsafe(_TOKEN_BYTES)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def make_secrets(folder: Path) -> None:
    """Make the secrets that are missing under a folder.

    Args:
        folder: Gets the folders above.

    Raises:
        OSError: A folder cannot be written, or belongs to another user.
    """
    os.umask(0o077)
    password = _keep(folder / "database" / "password", _token)
    conf = _keep(
        folder / "broker" / "redis.conf",
        lambda: f"requirepass {_token()}\nappendonly yes\ndir /broker\n",
    )
    broker_password = conf.split()[1]
    account = f"airflow:{password}@postgres/airflow"
    airflow = folder / "airflow"
    _keep(airflow / "fernet_key", _fernet_key)
    _keep(airflow / "jwt_secret", _token)
    _keep(airflow / "api_secret_key", _token)
    _keep(airflow / "database_url", lambda: f"postgresql+psycopg2://{account}")
    _keep(airflow / "result_backend_url", lambda: f"db+postgresql+psycopg2://{account}")
    _keep(airflow / "broker_url", lambda: f"redis://:{broker_password}@redis:6379/0")
    _keep(folder / "superset" / "secret_key", _token)
    _keep(folder / "superset" / "password", lambda: secrets.token_urlsafe(_LOGIN_BYTES))
    logins = {WEB_USER: secrets.token_urlsafe(_LOGIN_BYTES)}
    _keep(folder / "web" / "passwords.json", lambda: json.dumps(logins) + "\n")


if __name__ == "__main__":
    make_secrets(Path(sys.argv[1]))
