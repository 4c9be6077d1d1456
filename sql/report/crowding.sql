-- Grain: one row per market_date and index_id.
-- How crowded longs are, 0 to 100, from accounts, open interest and funding.
select
    market_date,
    index_id,
    crowding_score,
    observed_count,
    constituent_count,
    state
from signals.crowding_market_daily
where crowding_score is not null
order by market_date, index_id
