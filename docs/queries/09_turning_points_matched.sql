-- Grain: one row per pair_id and window_sessions.
-- "Local highs and lows closely matched": how many turning points of equities had one
-- of crypto near them, and how many chance alone matches.
select
    pair_id,
    window_sessions,
    session_date,
    equity_pivot_count,
    crypto_pivot_count,
    round(match_rate_fraction, 2) as match_rate_fraction,
    round(null_mean_fraction, 2) as by_chance_fraction,
    round(null_p95_fraction, 2) as chance_limit_fraction,
    state
from signals.turning_point_match
qualify session_date = max(session_date) over (partition by pair_id, window_sessions)
order by pair_id, window_sessions
