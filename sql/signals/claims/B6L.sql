-- Grain: one row.
-- Year in which the last run at least as long ended.
with readings as (
    select * from signals.equity_pair_daily
    where
        pair_id = 'rut_over_spx'
        and session_date = date '2026-01-14'
),

final as (
    select
        cast(max(year(streak_longest_since_date)) as double) as actual_value,
        count(streak_sessions) as input_count,
        min(session_date) as first_input_date,
        max(session_date) as last_input_date,
        true as is_supported,
        cast(null as varchar) as caveat,
        printf(
            'Longest since %s; history from %s',
            cast(max(streak_longest_since_date) as varchar),
            cast(max(history_start_date) as varchar)
        ) as evidence
    from readings
)

select * from final
