-- Grain: one row per index_id.
-- "Many altcoins have declined by 80 to 90 %": the share of coins, and of their worth,
-- that far below their own high, on the last day on which half of the coins were
-- priced.
select
    market_date,
    index_id,
    observed_count,
    round(median_drawdown_fraction, 3) as median_drawdown_fraction,
    round(down_50_80_fraction, 3) as down_50_80_fraction,
    round(down_80_90_fraction, 3) as down_80_90_fraction,
    round(down_90_100_fraction, 3) as down_90_100_fraction,
    round(down_80_90_cap_fraction, 3) as down_80_90_cap_fraction,
    state
from signals.drawdown_market_daily
where median_drawdown_fraction is not null
qualify market_date = max(market_date) over (partition by index_id)
order by index_id
