-- Grain: one row per market_date and index_id.
-- Shares of the index's coins that beat Bitcoin, and that gained.
select
    market_date,
    index_id,
    beating_btc_90d_fraction,
    beating_btc_30d_fraction,
    positive_90d_fraction,
    above_200d_average_fraction,
    observed_count,
    constituent_count
from signals.breadth_daily
where beating_btc_90d_fraction is not null
order by market_date, index_id
