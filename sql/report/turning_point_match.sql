-- Grain: one row per session_date and pair_id.
-- Share of turning points that have one of the other market near them, against chance.
select
    session_date,
    pair_id,
    match_rate_fraction,
    null_mean_fraction,
    null_p95_fraction,
    match_p_value,
    equity_pivot_count,
    crypto_pivot_count,
    state
from signals.turning_point_match
where match_rate_fraction is not null
order by session_date, pair_id
