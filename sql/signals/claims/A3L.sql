-- Grain: one row.
-- Second, literal reading: three tenths of the year's gain are gone, and no more.
with readings as (
    select * from signals.bitcoin_daily
    where
        market_date = date '2025-11-16'
),

final as (
    select
        max(giveback_fraction) as actual_value,
        count(giveback_fraction) as input_count,
        min(market_date) as first_input_date,
        max(market_date) as last_input_date,
        true as is_supported,
        cast(null as varchar) as caveat,
        printf(
            'Not three tenths but %.2f of the gain was gone', max(giveback_fraction)
        ) as evidence
    from readings
)

select * from final
