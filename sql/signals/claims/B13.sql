-- Grain: one row.
-- Rank correlation of market value and account ratio across the coins but Bitcoin;
-- below 0 small coins are longer.
with readings as (
    select * from signals.rank_tilt_daily
    where
        market_date = date '2026-01-15'
),

final as (
    select
        max(rank_correlation) as actual_value,
        count(rank_correlation) as input_count,
        min(market_date) as first_input_date,
        max(market_date) as last_input_date,
        coalesce(
            max(rank_correlation_p_value) < 0.05 and max(observation_count) >= 40, false
        ) as is_supported,
        cast(null as varchar) as caveat,
        printf(
            '%d coins, p %.3f',
            max(observation_count),
            max(rank_correlation_p_value)
        ) as evidence
    from readings
)

select * from final
