"""Superset's settings; what is secret is read from files that the first start made."""

from pathlib import Path

SECRET_KEY = Path("/secrets/superset/secret_key").read_text()
SQLALCHEMY_DATABASE_URI = "sqlite:////superset/superset.db"
# Its headers ask for TLS, which a proxy before it adds.
TALISMAN_ENABLED = False
ROW_LIMIT = 50_000
SQLLAB_TIMEOUT = 60
# Two charts show the newest day of their table, which is asked for in their filter.
FEATURE_FLAGS = {"ALLOW_ADHOC_SUBQUERY": True}
