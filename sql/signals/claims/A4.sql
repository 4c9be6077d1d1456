-- Grain: one row.
-- Small less large coins in the year so far, and since the first US spot product.
with readings as (
    select * from signals.index_spread_daily
    where
        pair_id = 'small_over_large'
        and market_date = date '2025-11-16'
),

final as (
    select
        max(spread_ytd_fraction) as actual_value,
        count(spread_ytd_fraction) as input_count,
        min(market_date) as first_input_date,
        max(market_date) as last_input_date,
        coalesce(max(spread_since_etp_fraction) <= -0.2, false) as is_supported,
        cast(null as varchar) as caveat,
        printf(
            'Small less large: %.1f points in the year, %.1f since January 2024',
            100 * max(spread_ytd_fraction),
            100 * max(spread_since_etp_fraction)
        ) as evidence
    from readings
)

select * from final
