-- Grain: one row per market_date and index_id of the house profile.
-- Levels that we would say differently today.
select
    market_date,
    index_id,
    level_as_published,
    level_as_restated,
    difference_fraction,
    cause
from indices.restatement
where profile = 'house'
order by market_date desc, index_id asc
