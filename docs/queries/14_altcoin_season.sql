-- Grain: one row per variant_id.
-- Is it altcoin season? The share of coins that beat Bitcoin depends on how they are
-- counted, so here is each way of counting, beside the index that a vendor publishes.
select
    variant_id,
    market_date,
    round(altcoin_season_score, 1) as altcoin_season_score,
    round(published_score, 1) as published_score,
    observed_count,
    round(coverage_fraction, 3) as coverage_fraction,
    state
from signals.altcoin_season_daily
where altcoin_season_score is not null
qualify market_date = max(market_date) over (partition by variant_id)
order by variant_id
