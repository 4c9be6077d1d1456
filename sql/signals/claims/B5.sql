-- Grain: one row.
-- The year's return times an estimated worth at its start.
with readings as (
    select * from signals.equity_index_daily
    where
        ticker in ('RUT', 'IWM')
        and session_date = date '2026-01-15'
        and estimated_added_value_usd is not null
),

ranked as (
    select
        *,
        dense_rank() over (order by is_proxy) as preference_rank
    from readings
),

series as (
    select * from ranked
    where preference_rank = 1
),

final as (
    select
        max(estimated_added_value_usd) as actual_value,
        count(*) as input_count,
        min(session_date) as first_input_date,
        max(session_date) as last_input_date,
        true as is_supported,
        'Consistent rather than checked: the base worth was worked out from this claim'
            as caveat,
        printf(
            '%s: estimated %.0f bn dollars',
            max(ticker),
            max(estimated_added_value_usd) / 1e9
        ) as evidence
    from series
)

select * from final
