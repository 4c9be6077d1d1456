-- Grain: one row per feed and source asked on the last night.
-- How each vendor did last night.
select
    market_date,
    feed,
    source,
    preference_rank,
    status,
    reason,
    row_count,
    call_count,
    byte_count,
    seconds
from quality.source_health_daily
qualify market_date = max(market_date) over ()
order by feed, preference_rank
