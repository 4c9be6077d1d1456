-- Grain: one row.
-- Share of the top 100 but Bitcoin on the day of the article whose close was 20 %
-- higher at some time within 30 days; beside it the share of five times.
with basket as (
    select * from signals.member_daily
    where
        index_id = 'top100_ex_btc'
        and market_date = date '2026-01-16'
        and is_fresh
        and price_usd > 0
),

prices as (
    select * from staging.coin_price_daily
    where
        market_date > date '2026-01-16'
        and market_date <= date '2026-01-16' + 30
),

highs as (
    select
        basket.coin_id,
        basket.market_date,
        max(prices.market_date) as last_date,
        max(prices.price_usd) / max(basket.price_usd) as high_ratio
    from basket
    inner join prices on basket.coin_id = prices.coin_id
    group by basket.coin_id, basket.market_date
),

final as (
    select
        avg(cast(high_ratio >= 1.2 as integer)) as actual_value,
        count(high_ratio) as input_count,
        min(market_date) as first_input_date,
        max(last_date) as last_input_date,
        true as is_supported,
        'The claim names no horizon' as caveat,
        printf(
            '%d of %d coins gained 20 %% at some close, %d five times',
            count(*) filter (where high_ratio >= 1.2),
            count(high_ratio),
            count(*) filter (where high_ratio >= 5)
        ) as evidence
    from highs
)

select * from final
