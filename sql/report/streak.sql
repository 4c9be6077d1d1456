-- Grain: one row per session_date and pair_id.
-- Sessions in a row in which small companies beat large ones.
select
    session_date,
    pair_id,
    streak_sessions,
    return_difference_fraction,
    streak_longest_since_date,
    is_proxy
from signals.equity_pair_daily
order by session_date, pair_id
