-- Grain: one row.
-- Fear and greed as published on the Sunday of the low.
with readings as (
    select * from signals.external_sentiment_daily
    where
        source = 'alternative_me'
        and market_date = date '2025-11-16'
        and stale_days = 0
),

final as (
    select
        max(score) as actual_value,
        count(score) as input_count,
        min(market_date) as first_input_date,
        max(market_date) as last_input_date,
        true as is_supported,
        cast(null as varchar) as caveat,
        printf('Score %.0f, %s', max(score), max(label)) as evidence
    from readings
)

select * from final
