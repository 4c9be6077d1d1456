-- Grain: one row.
-- Days from the record close to the Sunday of the article.
with readings as (
    select * from signals.bitcoin_daily
    where
        market_date = date '2025-11-16'
),

final as (
    select
        cast(max(days_since_high) as double) as actual_value,
        count(days_since_high) as input_count,
        min(market_date) as first_input_date,
        max(market_date) as last_input_date,
        true as is_supported,
        cast(null as varchar) as caveat,
        printf(
            'Record close on %s', cast(max(high_date) as varchar)
        ) as evidence
    from readings
)

select * from final
