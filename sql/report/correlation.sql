-- Grain: one row per session_date and pair_id.
-- Correlation of the days' returns over 60 sessions, with its interval.
select
    session_date,
    pair_id,
    correlation,
    correlation_low,
    correlation_high,
    effective_count,
    p_value_bh,
    is_significant
from signals.cross_market_correlation_daily
where method = 'pearson' and window_sessions = 60 and correlation is not null
order by session_date, pair_id
