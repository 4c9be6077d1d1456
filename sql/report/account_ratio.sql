-- Grain: one row per market_date and index_id.
-- The middle account ratio of an index's coins, beside Bitcoin's.
select
    market_date,
    index_id,
    median_ratio,
    bitcoin_ratio,
    above_1_fraction,
    observed_count,
    constituent_count
from signals.positioning_market_daily
where median_ratio is not null
order by market_date, index_id
