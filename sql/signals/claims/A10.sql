-- Grain: one row.
-- What the top 100 were worth below their year's peak on the Sunday.
with readings as (
    select * from signals.market_cap_daily
    where
        source = 'own_top100'
        and market_date = date '2025-11-16'
),

final as (
    select
        max(drawdown_usd) as actual_value,
        count(drawdown_usd) as input_count,
        min(market_date) as first_input_date,
        max(market_date) as last_input_date,
        true as is_supported,
        'Our sum of a hundred coins; over weeks, not in a day' as caveat,
        printf(
            '%.2f tn dollars below the peak of %.2f tn',
            max(drawdown_usd) / 1e12,
            max(peak_365d_usd) / 1e12
        ) as evidence
    from readings
)

select * from final
