-- Grain: one row per coin_id and known_from.
-- The first day on which a coin was priced, as it was known from then on: a coin's age
-- must not grow in an old review because older history was loaded later.
with observations as (
    select
        coin_id,
        known_from,
        market_date
    from staging.market_observation
    where price_usd > 0
),

running as (
    select
        coin_id,
        known_from,
        min(market_date) over (
            partition by coin_id
            order by known_from
            range between unbounded preceding and current row
        ) as first_date
    from observations
),

changes as (
    select
        coin_id,
        first_date,
        min(known_from) as known_from
    from running
    group by coin_id, first_date
),

final as (
    select
        coin_id,
        known_from,
        first_date
    from changes
)

select * from final
