-- Grain: one row per market_date, profile, index_id and effective_date.
-- A basket's market value on a day, and how much of it rests on carried prices.
with positions as (
    select * from indices.basket_value_daily
),

final as (
    select
        market_date,
        profile,
        index_id,
        effective_date,
        sum(market_value_usd order by coin_id) as market_value_usd,
        count(*) as constituent_count,
        count(*) filter (where stale_days > 0) as stale_count,
        coalesce(
            sum(market_value_usd order by coin_id) filter (where stale_days > 0), 0
        ) as stale_value_usd,
        max(stale_days) as max_stale_days,
        bool_or(is_reconstructed) as is_reconstructed
    from positions
    group by market_date, profile, index_id, effective_date
)

select * from final
