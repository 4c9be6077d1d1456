-- Grain: one row.
-- This file: its last day, run, code, rulebook and inputs.
select
    market_date,
    built_at,
    run_id,
    known_by,
    tidemark_version,
    code_commit,
    rulebook_version,
    input_digest,
    degraded_feeds
from main.about
