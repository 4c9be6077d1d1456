-- Grain: one row per pair_id and last_session_date.
-- The longest runs of sessions in which small US companies beat large ones, and since
-- when there had been none as long; null means never in our history. A proxy is a fund,
-- not the index.
with runs as (
    select
        pair_id,
        is_proxy,
        session_date,
        streak_sessions,
        lead(streak_sessions) over (
            partition by pair_id
            order by session_date
        ) as next_streak_sessions,
        streak_longest_since_date
    from signals.equity_pair_daily
)

select
    pair_id,
    is_proxy,
    session_date as last_session_date,
    streak_sessions,
    streak_longest_since_date
from runs
where streak_sessions > 0 and coalesce(next_streak_sessions, 0) < streak_sessions
order by streak_sessions desc, session_date desc, pair_id asc
limit 8
