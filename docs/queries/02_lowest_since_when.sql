-- Grain: one row per index_id.
-- On the worst close of the last 365 days, since when had an index not closed lower? A
-- null means that it never had: the lowest close in our history.
with year_so_far as (
    select extremes.*
    from signals.index_extreme_daily as extremes
    cross join main.about as about
    where extremes.market_date > about.market_date - interval 365 days
)

select
    index_id,
    market_date as lowest_close_date,
    round(level, 2) as level,
    low_since_date,
    days_since_lower,
    is_all_time_low
from year_so_far
where index_id in ('large', 'mid', 'small', 'top100')
qualify
    row_number() over (partition by index_id order by level asc, market_date asc) = 1
order by index_id
