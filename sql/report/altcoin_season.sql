-- Grain: one row per market_date and variant_id.
-- Share of the largest coins that beat Bitcoin, in each way of counting them.
select
    market_date,
    variant_id,
    altcoin_season_score,
    published_score,
    observed_count,
    state
from signals.altcoin_season_daily
where altcoin_season_score is not null
order by market_date, variant_id
