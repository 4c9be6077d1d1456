-- Grain: one row.
-- Days from the peak of 6 October to the first close a trillion dollars below.
with readings as (
    select * from signals.market_cap_daily
    where
        source = 'own_top100'
        and market_date between date '2025-10-07' and date '2025-11-16'
        and drawdown_usd is not null
),

final as (
    select
        cast(
            min(market_date) filter (where drawdown_usd >= 1e12) - date '2025-10-06'
            as double
        ) as actual_value,
        count(*) as input_count,
        min(market_date) as first_input_date,
        max(market_date) as last_input_date,
        true as is_supported,
        'Our sum of a hundred coins, without stablecoins' as caveat,
        printf(
            'First a trillion below on %s',
            cast(min(market_date) filter (where drawdown_usd >= 1e12) as varchar)
        ) as evidence
    from readings
)

select * from final
