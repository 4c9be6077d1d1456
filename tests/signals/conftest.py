"""Lets these tests use the harness of ``tests/sql``."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "sql"))
