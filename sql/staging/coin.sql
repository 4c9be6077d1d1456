-- Grain: one row per coin_id.
-- What a coin is called today, and the first and last day on which a source priced it.
with observations as (
    select * from staging.market_observation
    where known_to is null and price_usd > 0
),

final as (
    select
        coin_id,
        max_by(symbol, (market_date, source)) filter (where symbol is not null)
            as symbol,
        max_by(name, (market_date, source)) filter (where name is not null) as name,
        min(market_date) as first_date,
        max(market_date) as last_date
    from observations
    group by coin_id
)

select * from final
