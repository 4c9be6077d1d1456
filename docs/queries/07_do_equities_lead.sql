-- Grain: one row per pair_id and window_sessions.
-- Does the Russell 2000 move before crypto? The lead that fits best, in sessions (above
-- 0: equities first), and whether it is more than chance and holds in both halves.
select
    pair_id,
    window_sessions,
    as_of_date,
    lead_sessions,
    round(correlation_at_lead, 3) as correlation_at_lead,
    round(correlation_same_session, 3) as correlation_same_session,
    round(p_value, 3) as p_value,
    is_stable_in_halves,
    state
from signals.lead_lag
qualify as_of_date = max(as_of_date) over (partition by pair_id, window_sessions)
order by pair_id, window_sessions
