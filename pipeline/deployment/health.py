"""Ask Airflow's API server how parts of Airflow are: ``python -m pipeline.deployment.health``.

For health checks of containers: it imports next to nothing, where ``airflow jobs check`` takes
seconds of a core each time.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from urllib.request import urlopen

LOCAL_SERVER = "http://localhost:8080"
STANDALONE_PARTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")
_TIMEOUT_SECONDS = 10.0


def list_unhealthy(server: str, parts: Sequence[str]) -> list[str]:
    """Return the parts that are not healthy, each with what is said of it.

    Args:
        server: Address of the API server.
        parts: Names in the answer of ``/api/v2/monitor/health``.

    Raises:
        OSError: The server does not answer.
        ValueError: Its answer is not JSON.
    """
    url = f"{server}/api/v2/monitor/health"
    with urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - our own server
        health = json.load(answer)
    states = {part: (health.get(part) or {}).get("status") for part in parts}
    return [f"{part} is {state}" for part, state in states.items() if state != "healthy"]


def main(arguments: Sequence[str]) -> str | None:
    """Return what is wrong with the parts named behind the server's address; None for nothing."""
    server, *parts = arguments or (LOCAL_SERVER,)
    try:
        return "; ".join(list_unhealthy(server, parts or STANDALONE_PARTS)) or None
    except (OSError, ValueError) as exc:
        return f"{server} does not say: {exc}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
