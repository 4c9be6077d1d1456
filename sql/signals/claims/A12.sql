-- Grain: one row.
-- Mean percentile of risk aversion from the crash to the Sunday, less that of the ten
-- weeks before.
with readings as (
    select
        market_date,
        percentile_pct,
        market_date >= date '2025-10-11' as is_after
    from signals.risk_aversion_daily
    where
        market_date between date '2025-08-01' and date '2025-11-16'
        and market_date <> date '2025-10-10'
        and percentile_pct is not null
),

final as (
    select
        avg(percentile_pct) filter (where is_after)
        - avg(percentile_pct) filter (where not is_after) as actual_value,
        count(*) as input_count,
        min(market_date) as first_input_date,
        max(market_date) as last_input_date,
        true as is_supported,
        cast(null as varchar) as caveat,
        printf(
            'Mean percentile %.0f before, %.0f after',
            avg(percentile_pct) filter (where not is_after),
            avg(percentile_pct) filter (where is_after)
        ) as evidence
    from readings
)

select * from final
