-- Grain: one row per market_date, profile, index_id and basket_date.
-- A basket's market value on a day, and how much of it rests on carried prices. Values
-- are added as decimals: a sum of doubles depends on the order, and so on the threads.
with positions as (
    select
        *,
        cast(market_value_usd as decimal(38, 12)) as exact_value_usd
    from indices.basket_value_daily
),

final as (
    select
        market_date,
        profile,
        index_id,
        basket_date,
        any_value(effective_date) as effective_date,
        cast(sum(exact_value_usd) as double) as market_value_usd,
        count(*) as constituent_count,
        count(*) filter (where stale_days > 0) as stale_count,
        coalesce(
            cast(sum(exact_value_usd) filter (where stale_days > 0) as double), 0
        ) as stale_value_usd,
        max(stale_days) as max_stale_days,
        max(market_value_usd) as top_value_usd,
        bool_or(is_reconstructed) as is_reconstructed
    from positions
    group by market_date, profile, index_id, basket_date
)

select * from final
