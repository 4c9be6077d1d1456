-- Grain: one row per pair_id and window_sessions, as of the last day computed.
-- Which market moves first, if any does.
select
    as_of_date,
    pair_id,
    window_sessions,
    observation_count,
    lead_sessions,
    correlation_at_lead,
    correlation_same_session,
    p_value,
    apart_lead_sessions,
    apart_correlation,
    apart_p_value,
    is_stable_in_halves,
    state
from signals.lead_lag
qualify as_of_date = max(as_of_date) over (partition by pair_id, window_sessions)
order by pair_id, window_sessions
