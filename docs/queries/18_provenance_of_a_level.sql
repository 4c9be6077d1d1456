-- Grain: one row per index_id.
-- What stands behind a level: how much of it was priced on the day, by whom, when that
-- was learned, by which rules, and whether it was said otherwise on its night.
with as_of as (
    select market_date from main.about
),

priced as (
    select
        seats.index_id,
        string_agg(distinct prices.price_sources, '; ' order by prices.price_sources)
            as sources,
        max(prices.known_at) as last_known_at
    from indices.constituent_daily as seats
    inner join as_of on seats.market_date = as_of.market_date
    inner join indices.constituent_price_daily as prices
        on seats.market_date = prices.market_date and seats.coin_id = prices.coin_id
    where seats.profile = 'house'
    group by seats.index_id
)

select
    levels.index_id,
    round(levels.level, 2) as level,
    round(levels.level_as_published, 2) as level_as_published,
    round(levels.coverage_fraction, 4) as coverage_fraction,
    levels.stale_count,
    priced.sources,
    priced.last_known_at,
    levels.is_reconstructed,
    levels.rulebook_version
from indices.index_level_daily as levels
inner join as_of on levels.market_date = as_of.market_date
inner join priced on levels.index_id = priced.index_id
where levels.profile = 'house' and levels.index_id in ('large', 'mid', 'small')
order by levels.index_id
