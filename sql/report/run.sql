-- Grain: one row per run, the newest fifty.
-- Nights, imports and other runs, and how each ended.
select
    run_id,
    kind,
    market_date,
    started_at,
    ended_at,
    status,
    degraded_feeds,
    added_count,
    revised_count,
    quarantined_count
from quality.run
order by started_at desc, run_id asc
limit 50
