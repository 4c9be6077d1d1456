"""docker-compose.yml and the image hold to what operations promise of them."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.deployment import health
from pipeline.deployment.first_start import make_secrets

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docker-compose.yml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
BACKUPS = "${BACKUP_VOLUME:-backups}"
ONE_SHOT = {"prepare", "migrate", "sandbox-history", "superset-prepare"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_fenced_in(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["cpus"]
    assert service["pids_limit"]
    assert service["logging"]["options"]["max-size"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_restarted_and_looked_at_or_runs_once(name: str) -> None:
    service = SERVICES[name]
    if name in ONE_SHOT:
        assert service["restart"] == "no"
        assert service["healthcheck"] == {"disable": True}
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"]


def test_nobody_starts_before_what_it_needs_is_ready() -> None:
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if needed in ONE_SHOT else "service_healthy"
            assert how["condition"] == expected, f"{name} needs {needed}"


def test_ports_are_on_loopback_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_the_file_holds_no_secret() -> None:
    named = re.findall(r"^ *(\w+): *\S", TEXT, re.MULTILINE)
    telling = [name for name in named if re.search(r"(?i)password|secret|_key|_url|_conn", name)]
    assert {name for name in telling if not name.endswith(("_CMD", "_URL"))} == {
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"
    }
    assert not re.search(r"://[^/\s]*:[^/\s]*@", TEXT)
    read = re.findall(r"^\s*\w+_CMD: (.*)$", TEXT, re.MULTILINE)
    assert read
    assert [line for line in read if not line.startswith("cat /secrets/")] == []


def test_only_what_runs_tasks_gets_the_settings_file() -> None:
    given = {name for name, service in SERVICES.items() if "env_file" in service}
    assert given == {"scheduler", "worker", "sandbox-history"}


def test_readers_mount_read_only() -> None:
    written = {
        name: {
            volume.rpartition(":")[0]
            for volume in service.get("volumes", [])
            if not volume.endswith(":ro")
        }
        for name, service in SERVICES.items()
    }
    assert written["site"] == set()
    assert written["api-server"] == {"secrets-web"}
    for name in ("scheduler", "worker"):
        assert written[name] == {"data", "logs", BACKUPS}
    secret = {name for name, volumes in written.items() if any("secrets-" in v for v in volumes)}
    assert secret == {"prepare", "api-server"}


def test_backups_outlive_the_containers_and_may_be_on_another_disk() -> None:
    with_backups = {
        name
        for name, service in SERVICES.items()
        if f"{BACKUPS}:/backups" in service.get("volumes", [])
    }
    assert with_backups == {"prepare", "scheduler", "worker", "sandbox-history"}
    for name in with_backups - {"prepare"}:
        assert SERVICES[name]["environment"]["TIDEMARK_BACKUP_DIR"] == "/backups"
    assert "backups" in yaml.safe_load(TEXT)["volumes"]
    # Nothing else of a container's file system can be written, so its owner comes from the image.
    (made,) = re.findall(r"install -d (.*?) /airflow(.*?)\nCOPY", DOCKERFILE, re.DOTALL)
    assert "-o tidemark" in made[0]
    assert "/backups" in made[1]


def test_env_example_lists_what_the_file_asks_with_its_default() -> None:
    example = dict(
        re.findall(r"^#([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    )
    names = set(re.findall(r"\$\{([A-Z_]+)", TEXT))
    asked = set(re.findall(r"\$\{([A-Z_]+):?-([^}{$]*)\}", TEXT))
    assert names
    assert names - set(example) == set()
    own = {(name, value) for name, value in asked if value and not name.startswith("TIDEMARK_")}
    assert {(name, value) for name, value in own if example[name] != value} == set()


def test_the_image_is_made_of_pinned_packages_and_has_no_rights() -> None:
    assert DOCKERFILE.count("FROM ${BASE_IMAGE}") == 4
    assert "--require-hashes -r requirements-image.lock" in DOCKERFILE
    assert "--require-hashes -r requirements-superset.lock" in DOCKERFILE
    assert re.findall(r"^USER (\w+)$", DOCKERFILE, re.MULTILINE) == ["tidemark"] * 2
    assert re.findall(r"^HEALTHCHECK", DOCKERFILE, re.MULTILINE)
    assert not re.findall(r"(?im)^(?:ENV|ARG).*(?:password|secret|token|_key)", DOCKERFILE)


def secret_files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_secrets_are_made_once_and_for_one_user_only(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    made = secret_files(tmp_path)
    assert set(made) == {
        "airflow/api_secret_key",
        "airflow/broker_url",
        "airflow/database_url",
        "airflow/fernet_key",
        "airflow/jwt_secret",
        "airflow/result_backend_url",
        "broker/redis.conf",
        "database/password",
        "superset/password",
        "superset/secret_key",
        "web/passwords.json",
    }
    for name in made:
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / name).parent.stat().st_mode) == 0o700
    (tmp_path / "airflow" / "jwt_secret").chmod(0o644)
    make_secrets(tmp_path)
    assert secret_files(tmp_path) == made
    assert stat.S_IMODE((tmp_path / "airflow" / "jwt_secret").stat().st_mode) == 0o600


def test_secrets_fit_together_and_differ_between_installations(tmp_path: Path) -> None:
    from cryptography.fernet import Fernet

    here, there = tmp_path / "here", tmp_path / "there"
    make_secrets(here)
    make_secrets(there)
    made, other = secret_files(here), secret_files(there)
    assert [name for name in made if made[name] == other[name]] == []
    Fernet(made["airflow/fernet_key"])
    assert f":{made['database/password']}@" in made["airflow/database_url"]
    assert f":{made['database/password']}@" in made["airflow/result_backend_url"]
    assert (
        f"requirepass {made['airflow/broker_url'][9:].split('@')[0]}\n" in made["broker/redis.conf"]
    )
    assert len(json.loads(made["web/passwords.json"])["admin"]) >= 20


def test_a_secret_that_a_crash_left_empty_is_made_again(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    (tmp_path / "airflow" / "jwt_secret").write_text("")
    make_secrets(tmp_path)
    assert len((tmp_path / "airflow" / "jwt_secret").read_text()) > 40


def test_health_tells_what_is_not_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answer = tmp_path / "api/v2/monitor/health"
    answer.parent.mkdir(parents=True)
    states = {"metadatabase": {"status": "healthy"}, "scheduler": {"status": "unhealthy"}}
    answer.write_text(json.dumps(states))
    server = tmp_path.as_uri()
    assert health.main([server, "metadatabase"]) is None
    assert health.main([server, "scheduler"]) == "scheduler is unhealthy"
    assert health.main([server, "triggerer"]) == "triggerer is None"
    monkeypatch.setattr(health, "LOCAL_SERVER", server)
    assert "dag_processor" in (health.main([]) or "")
    answer.write_text("<html>")
    assert "does not say" in (health.main([server, "scheduler"]) or "")
    assert "does not say" in (health.main([(tmp_path / "no").as_uri(), "scheduler"]) or "")


ASSETS = ROOT / "pipeline" / "deployment" / "superset" / "assets"


def assets(kind: str) -> list[dict[str, Any]]:
    return [yaml.safe_load(path.read_text()) for path in sorted((ASSETS / kind).rglob("*.yaml"))]


def test_the_dashboard_shows_columns_that_are_published() -> None:
    columns = {}
    for dataset in assets("datasets"):
        model = ROOT / "sql" / dataset["schema"] / f"{dataset['table_name']}.yml"
        published = yaml.safe_load(model.read_text())["columns"]
        columns[dataset["uuid"]] = {column["column_name"] for column in dataset["columns"]}
        assert columns[dataset["uuid"]] == set(published)
    charts = {chart["uuid"]: chart for chart in assets("charts")}
    for chart in charts.values():
        params = chart["params"]
        used = {*params.get("all_columns", []), *params.get("groupby", [])}
        used |= {metric["column"]["column_name"] for metric in params.get("metrics", [])}
        assert used
        assert used <= columns[chart["dataset_uuid"]]
    (dashboard,) = assets("dashboards")
    shown = [part for part in dashboard["position"].values() if "meta" in part]
    assert {part["meta"].get("uuid") for part in shown} - {None} == set(charts)


def test_superset_opens_the_published_file_read_only() -> None:
    (database,) = assets("databases")
    assert database["sqlalchemy_uri"] == "duckdb:////data/published/tidemark.duckdb"
    assert database["extra"]["engine_params"]["connect_args"] == {"read_only": True}
    for name in ("superset", "superset-prepare"):
        assert "data:/data:ro" in SERVICES[name]["volumes"]
