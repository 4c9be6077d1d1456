-- Grain: one row.
-- Sessions in a row in which the index itself beat the S&P 500; funds are not asked, a
-- few hundredths of a point decide.
with readings as (
    select * from signals.equity_pair_daily
    where
        pair_id = 'rut_over_spx'
        and session_date = date '2026-01-14'
),

final as (
    select
        cast(max(streak_sessions) as double) as actual_value,
        count(streak_sessions) as input_count,
        min(session_date) as first_input_date,
        max(session_date) as last_input_date,
        true as is_supported,
        cast(null as varchar) as caveat,
        printf(
            'Narrowest lead of the run %.3f points',
            100 * max(streak_min_margin_fraction)
        ) as evidence
    from readings
)

select * from final
