-- Grain: one row.
-- Highest close of Bitcoin on the three days before the article; the day's high is not
-- in every source.
with readings as (
    select * from signals.bitcoin_daily
    where
        market_date between date '2026-01-13' and date '2026-01-15'
),

final as (
    select
        max(price_usd) as actual_value,
        count(price_usd) as input_count,
        min(market_date) as first_input_date,
        max(market_date) as last_input_date,
        true as is_supported,
        'A close; the high within a day is a little higher' as caveat,
        printf(
            'Highest close %.0f dollars on %s',
            max(price_usd),
            cast(max_by(market_date, price_usd) as varchar)
        ) as evidence
    from readings
)

select * from final
