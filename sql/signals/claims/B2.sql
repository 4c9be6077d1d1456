-- Grain: one row.
-- Highest price of Bitcoin on the three days before the article: that of the largest
-- perpetual within the day, or else the highest close.
with readings as (
    select * from signals.bitcoin_daily
    where
        market_date between date '2026-01-13' and date '2026-01-15'
),

highs as (
    select
        market_date,
        price_usd,
        perp_high_usd,
        coalesce(perp_high_usd, price_usd) as high_usd
    from readings
),

final as (
    select
        max(high_usd) as actual_value,
        count(high_usd) as input_count,
        min(market_date) as first_input_date,
        max(market_date) as last_input_date,
        true as is_supported,
        case
            when max(perp_high_usd) is null
                then 'A close; the high within a day is a little higher'
            else 'Of a perpetual; spot markets differ by a little'
        end as caveat,
        printf(
            'Highest price %.0f dollars on %s, highest close %.0f',
            max(high_usd),
            cast(max_by(market_date, high_usd) as varchar),
            max(price_usd)
        ) as evidence
    from highs
)

select * from final
