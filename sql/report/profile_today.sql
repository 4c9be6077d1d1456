-- Grain: one row per index_id and profile, of the profile's last day.
-- The same index under each rulebook profile.
select
    market_date,
    index_id,
    profile,
    level,
    return_30d_fraction,
    return_1y_fraction,
    drawdown_fraction
from indices.index_statistic_daily
qualify market_date = max(market_date) over (partition by profile, index_id)
order by index_id, profile
