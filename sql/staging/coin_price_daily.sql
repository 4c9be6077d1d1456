-- Grain: one row per market_date and coin_id.
-- The price of a coin at the day's 24:00 UTC close as we know it today, on the days on
-- which a source was seen: the median of the accepted sources. Of three or more, a
-- source that is more than 10 % from their median is dropped; of two that differ by
-- more than 10 %, the one nearer to the price before is kept, or both when there is
-- none before. A single source's jump by a factor of ten is held until the next close
-- confirms it.
with observations as (
    select
        market_date,
        coin_id,
        source,
        price_usd,
        is_reconstructed,
        known_from
    from staging.market_observation
    where known_to is null and price_usd > 0
),

-- The median of one or two sources is the middle of the lowest and the highest; only of
-- three or more is it worth asking for a true one, which is slow.
rough as (
    select
        market_date,
        coin_id,
        count(*) as source_count,
        (min(price_usd) + max(price_usd)) / 2 as middle_price_usd,
        max(price_usd) / min(price_usd) as spread_ratio,
        string_agg(source, ', ' order by source) as price_sources,
        bool_and(is_reconstructed) as is_reconstructed,
        max(known_from) as known_at
    from observations
    group by market_date, coin_id
),

crowded as (
    select
        observations.market_date,
        observations.coin_id,
        median(observations.price_usd) as median_price_usd
    from observations
    inner join rough
        on
            observations.market_date = rough.market_date
            and observations.coin_id = rough.coin_id
    where rough.source_count > 2
    group by observations.market_date, observations.coin_id
),

referenced as (
    select
        rough.*,
        coalesce(crowded.median_price_usd, rough.middle_price_usd) as price_usd,
        lag(coalesce(crowded.median_price_usd, rough.middle_price_usd)) over (
            partition by rough.coin_id
            order by rough.market_date
        ) as previous_price_usd
    from rough
    left join crowded
        on
            rough.market_date = crowded.market_date
            and rough.coin_id = crowded.coin_id
),

-- Only where sources disagree is a single observation looked at again.
disputed as (
    select
        observations.market_date,
        observations.coin_id,
        observations.source,
        observations.price_usd,
        observations.is_reconstructed,
        observations.known_from,
        referenced.source_count,
        referenced.previous_price_usd,
        abs(observations.price_usd / referenced.price_usd - 1) as deviation_fraction,
        row_number() over (
            partition by observations.market_date, observations.coin_id
            order by
                abs(ln(observations.price_usd / referenced.previous_price_usd)),
                observations.source
        ) as nearness_rank
    from observations
    inner join referenced
        on
            observations.market_date = referenced.market_date
            and observations.coin_id = referenced.coin_id
    where referenced.spread_ratio > 1.1
),

settled as (
    select
        market_date,
        coin_id,
        median(price_usd) as price_usd,
        count(*) as source_count,
        string_agg(source, ', ' order by source) as price_sources,
        bool_and(is_reconstructed) as is_reconstructed,
        max(known_from) as known_at
    from disputed
    where
        (
            source_count = 2
            and (nearness_rank = 1 or previous_price_usd is null)
        )
        or (source_count > 2 and deviation_fraction <= 0.1)
    group by market_date, coin_id
),

priced as (
    select
        market_date,
        coin_id,
        price_usd,
        source_count,
        price_sources,
        is_reconstructed,
        known_at
    from referenced
    where spread_ratio <= 1.1
    union all
    select
        market_date,
        coin_id,
        price_usd,
        source_count,
        price_sources,
        is_reconstructed,
        known_at
    from settled
),

jumps as (
    select
        *,
        source_count = 1
        and abs(
            log10(
                price_usd
                / lag(price_usd) over (partition by coin_id order by market_date)
            )
        ) >= 1 as is_jump
    from priced
),

held as (
    select
        market_date,
        coin_id,
        price_usd,
        source_count,
        price_sources,
        coalesce(is_jump, false)
        and not coalesce(
            lag(is_jump) over (partition by coin_id order by market_date), false
        ) as is_held,
        is_reconstructed,
        known_at,
        lead(market_date) over (partition by coin_id order by market_date)
            as next_market_date
    from jumps
),

bounds as (
    select max(market_date) as last_date from jumps
),

-- Where no close follows to speak against it, a held price counts from the next day on.
uncontradicted as (
    select
        held.market_date + 1 as market_date,
        held.coin_id,
        held.price_usd,
        held.source_count,
        held.price_sources,
        false as is_held,
        held.is_reconstructed,
        held.known_at
    from held
    cross join bounds
    where
        held.is_held
        and held.next_market_date is distinct from held.market_date + 1
        and held.market_date < bounds.last_date
),

final as (
    select
        market_date,
        coin_id,
        price_usd,
        source_count,
        price_sources,
        is_held,
        is_reconstructed,
        known_at
    from held
    union all
    select
        market_date,
        coin_id,
        price_usd,
        source_count,
        price_sources,
        is_held,
        is_reconstructed,
        known_at
    from uncontradicted
)

select * from final
