"""Is the ledger what it was, and does it hold what readers see?"""

from __future__ import annotations

import json

import duckdb

from pipeline.database import open_scratch, quote
from pipeline.errors import LedgerError
from pipeline.files import sha256_of, write_bytes_atomically
from pipeline.ledger import LEDGER_TABLES, Ledger
from pipeline.settings import Settings
from pipeline.upkeep.report import Report
from pipeline.warehouse import Warehouse

_SEEN = "ledger_seen.json"


def check_ledger(settings: Settings, is_dry_run: bool) -> Report:
    """Hold the ledger against what it was at the last check and against the published levels.

    It only ever grows: a file that was there is there, byte for byte. Every published level has
    its first word in it, and those of the published build are the same number.

    Raises:
        LedgerError: It is not so; the message names a file or a level.
    """
    root = settings.ledger_dir
    found = {
        path.relative_to(root).as_posix(): sha256_of(path)
        for table in LEDGER_TABLES
        for path in Ledger(root).files(table)
    }
    seen_path = settings.state_dir / _SEEN
    seen: dict[str, str] = json.loads(seen_path.read_bytes()) if seen_path.exists() else {}
    gone = sorted(set(seen) - set(found))
    changed = sorted(name for name in seen if name in found and found[name] != seen[name])
    if gone or changed:
        raise LedgerError(
            f"{len(gone)} files of the ledger are gone and {len(changed)} have changed since the "
            f"last check, such as {(gone + changed)[0]}; what was said on past nights cannot be "
            f"made again: restore {root} from a backup, then delete {seen_path} and check again"
        )
    count = _check_levels(settings)
    if not is_dry_run:
        write_bytes_atomically(seen_path, json.dumps(found, indent=1).encode())
    said = f"{len(found):,} files of the ledger are as they were, {count:,} levels are in it"
    return Report("check_ledger", len(found), 0, said)


def _check_levels(settings: Settings) -> int:
    """Compare the published levels with their first word; return how many there are."""
    manifest = Warehouse(settings).published_manifest()
    if manifest is None:
        return 0
    select = Ledger(settings.ledger_dir).select("index_level_daily")
    with open_scratch(settings.threads) as connection:
        file = quote(str(settings.published_file))
        connection.execute(f"attach {file} as published (read_only)")
        try:
            rows = connection.execute(
                f"""
                with ledger as ({select})
                select
                    level.market_date, level.profile, level.index_id,
                    ledger.level is null as is_missing,
                    ledger.build_id = $build_id and ledger.level <> level.level as is_other,
                from published.indices.index_level_daily as level
                left join ledger using (market_date, profile, index_id)
                """,
                {"build_id": manifest["build_id"]},
            ).fetchall()
        except duckdb.Error as exc:
            raise LedgerError(
                f"a file of {settings.ledger_dir} cannot be read ({exc}); restore the folder from "
                "a backup"
            ) from exc
    wrong = [row for row in rows if row[3] or row[4]]
    if wrong:
        day, profile, index_id, is_missing, _ = min(wrong)
        what = "is not in the ledger" if is_missing else "is another than the ledger's"
        raise LedgerError(
            f"{len(wrong)} published levels are not as the ledger has them; that of {index_id} "
            f"({profile}) on {day} {what}. Run `tidemark build`, which records what is missing; if "
            "it is said again, restore the ledger from a backup"
        )
    return len(rows)
