-- Grain: one row per index_id.
-- How far did small coins fall behind large ones over one, three and five years? A
-- coverage below 1 says that part of the weight had no price of the day, so look before
-- you quote. Put a day of your own in place of the last: `select date '2025-11-16' as
-- market_date`.
with as_of as (
    select market_date from main.about
)

select
    statistics.market_date,
    statistics.index_id,
    round(statistics.level, 2) as level,
    round(statistics.return_1y_fraction, 4) as return_1y_fraction,
    round(statistics.return_3y_fraction, 4) as return_3y_fraction,
    round(statistics.return_5y_fraction, 4) as return_5y_fraction,
    round(statistics.return_since_base_fraction, 4) as return_since_base_fraction,
    round(levels.coverage_fraction, 3) as coverage_fraction
from indices.index_statistic_daily as statistics
inner join as_of on statistics.market_date = as_of.market_date
inner join indices.index_level_daily as levels
    on
        statistics.market_date = levels.market_date
        and statistics.profile = levels.profile
        and statistics.index_id = levels.index_id
where
    statistics.profile = 'house'
    and statistics.index_id in ('large', 'mid', 'small')
order by statistics.index_id
