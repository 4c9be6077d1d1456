-- Grain: one row per market_date and coin_id.
-- The price of a coin at the day's 24:00 UTC close as we know it today: the median of
-- what the accepted sources say. Only days on which at least one source was seen.
with observations as (
    select * from staging.market_observation
    where known_to is null and price_usd > 0
),

final as (
    select
        market_date,
        coin_id,
        median(price_usd) as price_usd,
        count(*) as source_count,
        string_agg(source, ', ' order by source) as price_sources,
        bool_and(is_reconstructed) as is_reconstructed,
        max(known_from) as known_at
    from observations
    group by market_date, coin_id
)

select * from final
