-- Grain: one row per source.
-- Point in time: what each source said about a coin's day, as it was known at an
-- instant, and not what was learned or corrected later. Here Bitcoin on the last day,
-- known a month after.
with asked as (
    select
        'bitcoin' as coin_id,
        market_date,
        market_date + interval 30 days as known_by
    from main.about
)

select
    seen.market_date,
    seen.source,
    round(seen.price_usd, 2) as price_usd,
    round(seen.market_cap_usd / 1e9, 2) as market_cap_usd_bn,
    seen.known_from,
    seen.known_to,
    seen.is_reconstructed,
    seen.run_id
from staging.market_observation as seen
inner join
    asked
    on seen.coin_id = asked.coin_id and seen.market_date = asked.market_date
where
    seen.known_from <= asked.known_by
    and (seen.known_to is null or seen.known_to > asked.known_by)
order by seen.source
