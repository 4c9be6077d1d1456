-- Grain: one row per series_id and pivot_date that stands.
-- Local highs and lows, with the day on which each was known.
select
    series_id,
    pivot_date,
    pivot_kind,
    confirmed_date,
    level
from signals.turning_point
where superseded_date is null
order by series_id, pivot_date
