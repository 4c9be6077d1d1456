-- Grain: one row per event_date, event_kind and subject.
-- Days that are studied for what followed: those of the calendar, and those that our
-- own figures mark. Each kind is a select of its own; another kind is another select.
with calendar as (
    select * from reference.event_calendar
),

equities as (
    select * from signals.equity_index_daily
    where state <> 'insufficient'
),

equity_pairs as (
    select * from signals.equity_pair_daily
),

market_events as (
    select * from signals.market_signal_event
),

cut_offs as (
    select
        21 as quiet_sessions,
        8 as streak_sessions
),

final as (
    select
        event_date,
        event_kind,
        subject
    from calendar
    group by event_date, event_kind, subject
    union all
    select
        session_date as event_date,
        'equity_record' as event_kind,
        ticker as subject
    from equities
    where is_record_close
    union all
    select
        equities.session_date as event_date,
        'equity_record_after_quiet' as event_kind,
        equities.ticker as subject
    from equities
    cross join cut_offs
    where
        equities.is_record_close
        and equities.sessions_without_record >= cut_offs.quiet_sessions
    union all
    select
        session_date as event_date,
        'equity_breakout' as event_kind,
        ticker as subject
    from equities
    where is_breakout
    union all
    select
        equity_pairs.session_date as event_date,
        'small_cap_streak' as event_kind,
        equity_pairs.pair_id as subject
    from equity_pairs
    cross join cut_offs
    where equity_pairs.streak_sessions = cut_offs.streak_sessions
    union all
    select
        event_date,
        event_kind,
        subject
    from market_events
)

select * from final
