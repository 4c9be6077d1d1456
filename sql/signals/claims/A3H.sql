-- Grain: one row.
-- Third reading: the price is 30 % below its record close.
with readings as (
    select * from signals.bitcoin_daily
    where
        market_date = date '2025-11-16'
),

final as (
    select
        max(drawdown_fraction) as actual_value,
        count(drawdown_fraction) as input_count,
        min(market_date) as first_input_date,
        max(market_date) as last_input_date,
        true as is_supported,
        cast(null as varchar) as caveat,
        printf(
            '%.1f %% from the record close; 30 %% would have been %.0f dollars',
            100 * max(drawdown_fraction),
            max(part_below_high_price_usd)
        ) as evidence
    from readings
)

select * from final
