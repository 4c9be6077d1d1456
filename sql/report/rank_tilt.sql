-- Grain: one row per market_date.
-- How the account ratio changes with cap: slope, interval, and rank correlation.
select
    market_date,
    rank_correlation,
    rank_correlation_7d,
    tilt_slope_log,
    tilt_slope_low_log,
    tilt_slope_high_log,
    small_minus_large_ratio,
    observation_count,
    state
from signals.rank_tilt_daily
where rank_correlation is not null
order by market_date
