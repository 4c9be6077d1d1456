# One image for every service: Airflow's parts, the command line, the sandbox.
#   docker build --build-arg BASE_IMAGE=python:3.13-slim -t tidemark:local .
ARG BASE_IMAGE=python:3.12-slim

FROM ${BASE_IMAGE} AS packages
ENV PIP_CACHE_DIR=/var/cache/pip PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements-image.lock ./
RUN --mount=type=cache,target=/var/cache/pip \
    python3 -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-compile --no-deps --require-hashes -r requirements-image.lock

# What no container needs goes, the packages' own tests first. Byte code stays, as nothing can be
# written at run time; it names no times, so that the same files give the same layer.
FROM packages AS trimmed
RUN /opt/venv/bin/pip uninstall --quiet --yes hatchling editables \
    && cd /opt/venv/lib/python3.*/site-packages \
    && find numpy pandas pyarrow scipy statsmodels -type d -name tests -prune \
        -exec rm -rf {} + \
    && rm -rf pyarrow/include pyarrow/src pip pip-*.dist-info /opt/venv/bin/pip* \
    && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib

# Our own files are a small layer above the packages': they change more often.
FROM packages AS own
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY pipeline pipeline
COPY sql sql
COPY dags dags
RUN /opt/venv/bin/pip install --no-compile --no-deps --no-build-isolation --no-index \
        --prefix=/opt/own . \
    && PYTHONPATH=$(echo /opt/own/lib/python3.*/site-packages) /opt/venv/bin/pip check \
    && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/own/lib

# Superset pins older versions of what we use, so it has an image of its own (target superset).
FROM ${BASE_IMAGE} AS superset-build
ENV PIP_CACHE_DIR=/var/cache/pip PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements-superset.lock ./
RUN --mount=type=cache,target=/var/cache/pip \
    python3 -m venv /opt/superset \
    && /opt/superset/bin/pip install --no-deps --require-hashes -r requirements-superset.lock \
    && /opt/superset/bin/pip check

FROM ${BASE_IMAGE} AS superset
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin tidemark \
    && install -d -o tidemark -g tidemark -m 0700 /superset
COPY --from=superset-build /opt/superset /opt/superset
COPY pipeline/deployment/superset /opt/tidemark/superset
ENV PATH=/opt/superset/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SUPERSET_HOME=/superset \
    SUPERSET_CONFIG_PATH=/opt/tidemark/superset/superset_config.py \
    FLASK_APP=superset.app:create_app()
USER tidemark
WORKDIR /superset
CMD ["gunicorn", "--bind=0.0.0.0:8088", "--workers=1", "--threads=8", "--worker-class=gthread", \
    "--timeout=120", "--worker-tmp-dir=/tmp", "superset.app:create_app()"]

FROM ${BASE_IMAGE}
# Named volumes get owner and mode from these folders when they are first mounted.
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin tidemark \
    && install -d -o tidemark -g tidemark -m 0755 /data \
    && install -d -o tidemark -g tidemark -m 0700 /airflow /backups /logs \
        /broker /secrets/airflow /secrets/database /secrets/broker /secrets/web \
        /secrets/superset
COPY --from=trimmed /opt/venv /opt/venv
COPY --from=own /opt/own /opt/venv
COPY dags /opt/tidemark/dags
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TIDEMARK_HOME=/data \
    AIRFLOW_HOME=/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/tidemark/dags \
    AIRFLOW__CORE__LOAD_EXAMPLES=false
USER tidemark
WORKDIR /data
# For a container that runs all of Airflow; docker-compose.yml has one for each part.
HEALTHCHECK --interval=30s --timeout=15s --start-period=180s --retries=5 \
    CMD ["python3", "-m", "pipeline.deployment.health"]
CMD ["tidemark", "--help"]
