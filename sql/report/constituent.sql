-- Grain: one row per index_id and coin_id of the house profile, on the last day.
-- Who is in an index: weight, price, and what the coin added over 30 days.
with seats as (
    select * from indices.constituent_daily
),

coins as (
    select * from staging.coin
),

ranked as (
    select * from indices.constituent
),

last_days as (
    select
        index_id,
        max(market_date) as market_date
    from seats
    where profile = 'house'
    group by index_id
),

added as (
    select
        seats.index_id,
        seats.coin_id,
        sum(
            seats.contribution_1d_fraction
            order by seats.market_date
        ) as contribution_30d_fraction
    from seats
    inner join last_days on seats.index_id = last_days.index_id
    where
        seats.profile = 'house'
        and seats.market_date > last_days.market_date - interval 30 days
    group by seats.index_id, seats.coin_id
),

final as (
    select
        seats.market_date,
        seats.index_id,
        seats.coin_id,
        coins.name as coin_name,
        coins.symbol,
        ranked.candidate_rank,
        seats.weight_fraction,
        seats.price_usd,
        seats.stale_days,
        seats.contribution_1d_fraction,
        added.contribution_30d_fraction
    from seats
    inner join last_days
        on
            seats.index_id = last_days.index_id
            and seats.market_date = last_days.market_date
    left join coins on seats.coin_id = coins.coin_id
    left join ranked
        on
            seats.profile = ranked.profile
            and seats.effective_date = ranked.effective_date
            and seats.index_id = ranked.index_id
            and seats.coin_id = ranked.coin_id
    left join added
        on seats.index_id = added.index_id and seats.coin_id = added.coin_id
    where seats.profile = 'house'
    order by seats.index_id asc, seats.weight_fraction desc, seats.coin_id asc
)

select * from final
