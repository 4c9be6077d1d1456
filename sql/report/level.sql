-- Grain: one row per market_date and index_id of the house profile.
-- The level of each index, how far it is below its high, and its return over a year.
select
    market_date,
    index_id,
    level,
    drawdown_fraction,
    return_1y_fraction
from indices.index_statistic_daily
where profile = 'house'
order by market_date, index_id
