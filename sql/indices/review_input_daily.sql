-- Grain: one row per profile, effective_date, coin_id and market_date.
-- What was known of a coin when a review was decided: price, supply and cap of the days
-- before the cut-off. A row that we learned later is not here, whatever it says.
with review_calendar as (
    select * from indices.review_calendar
),

observations as (
    select * from staging.market_observation
    where price_usd > 0
),

-- What became a coin, the nearest form first. In a merger the surviving coin has days
-- of its own.
old_forms as (
    select
        *,
        row_number() over (
            partition by successor_coin_id
            order by link_count, coin_id
        ) as form_number
    from staging.coin_successor
    where not has_merger
),

-- A coin that took the place of another is measured, in its own units, by the other's
-- observations on the days on which it was not seen itself.
told as (
    select
        coin_id,
        market_date,
        price_usd,
        circulating_supply,
        volume_24h_usd,
        known_from,
        known_to,
        is_reconstructed,
        0 as form_number,
        date '0001-01-01' as link_date
    from observations
    union all
    select
        old_forms.successor_coin_id as coin_id,
        observations.market_date,
        observations.price_usd / old_forms.units_per_coin as price_usd,
        observations.circulating_supply * old_forms.units_per_coin
            as circulating_supply,
        observations.volume_24h_usd,
        observations.known_from,
        observations.known_to,
        observations.is_reconstructed,
        old_forms.form_number,
        old_forms.effective_date as link_date
    from observations
    inner join old_forms on observations.coin_id = old_forms.coin_id
),

-- One row per review and day that it may look at, so that the join below is by day.
review_days as (
    select
        profile,
        effective_date,
        cutoff_date,
        cutoff_known_by,
        cast(
            unnest(
                generate_series(
                    cutoff_date - input_max_age_days + 1, cutoff_date, interval 1 day
                )
            ) as date
        ) as market_date
    from review_calendar
),

offered as (
    select
        review_days.profile,
        review_days.effective_date,
        told.coin_id,
        told.market_date,
        told.price_usd,
        told.circulating_supply,
        told.volume_24h_usd,
        told.is_reconstructed,
        told.form_number
    from review_days
    inner join told on review_days.market_date = told.market_date
    where
        told.link_date <= review_days.cutoff_date
        and told.known_from <= review_days.cutoff_known_by
        and (told.known_to is null or told.known_to > review_days.cutoff_known_by)
),

-- Until a successor has been priced itself, the old coin stands for it.
begun as (
    select distinct
        profile,
        effective_date,
        coin_id
    from offered
    where form_number = 0
),

-- Which form counts on a day: as known then, so a row that came later hides none.
nearest as (
    select
        profile,
        effective_date,
        coin_id,
        market_date,
        min(form_number) as form_number
    from offered
    where coin_id in (select old_forms.successor_coin_id from old_forms)
    group by profile, effective_date, coin_id, market_date
),

seen as (
    select offered.*
    from offered
    inner join begun
        on
            offered.profile = begun.profile
            and offered.effective_date = begun.effective_date
            and offered.coin_id = begun.coin_id
    left join nearest
        on
            offered.profile = nearest.profile
            and offered.effective_date = nearest.effective_date
            and offered.coin_id = nearest.coin_id
            and offered.market_date = nearest.market_date
    where coalesce(nearest.form_number, 0) = offered.form_number
),

-- The median over the sources of a day. Of one or two it is the middle of the smallest
-- and the largest; only of three or more is it worth asking for a true one, which is
-- slow.
spread as (
    select
        profile,
        effective_date,
        coin_id,
        market_date,
        count(*) as source_count,
        (min(price_usd) + max(price_usd)) / 2 as price_usd,
        (min(circulating_supply) + max(circulating_supply)) / 2 as circulating_supply,
        (min(volume_24h_usd) + max(volume_24h_usd)) / 2 as volume_24h_usd,
        bool_and(is_reconstructed) as is_reconstructed
    from seen
    group by profile, effective_date, coin_id, market_date
),

crowded as (
    select
        seen.profile,
        seen.effective_date,
        seen.coin_id,
        seen.market_date,
        median(seen.price_usd) as price_usd,
        median(seen.circulating_supply) as circulating_supply,
        median(seen.volume_24h_usd) as volume_24h_usd
    from seen
    inner join spread
        on
            seen.profile = spread.profile
            and seen.effective_date = spread.effective_date
            and seen.coin_id = spread.coin_id
            and seen.market_date = spread.market_date
    where spread.source_count > 2
    group by seen.profile, seen.effective_date, seen.coin_id, seen.market_date
),

by_day as (
    select
        spread.profile,
        spread.effective_date,
        spread.coin_id,
        spread.market_date,
        coalesce(crowded.price_usd, spread.price_usd) as price_usd,
        coalesce(crowded.circulating_supply, spread.circulating_supply)
            as circulating_supply,
        coalesce(crowded.volume_24h_usd, spread.volume_24h_usd) as volume_24h_usd,
        spread.is_reconstructed
    from spread
    left join crowded
        on
            spread.profile = crowded.profile
            and spread.effective_date = crowded.effective_date
            and spread.coin_id = crowded.coin_id
            and spread.market_date = crowded.market_date
),

-- Closes come daily and supplies may come monthly: a supply stands until the next one.
carried as (
    select
        *,
        last_value(circulating_supply ignore nulls) over (
            partition by profile, effective_date, coin_id
            order by market_date
            rows between unbounded preceding and current row
        ) as latest_supply
    from by_day
),

final as (
    select
        profile,
        effective_date,
        coin_id,
        market_date,
        price_usd,
        latest_supply as circulating_supply,
        price_usd * latest_supply as market_cap_usd,
        volume_24h_usd,
        is_reconstructed
    from carried
)

select * from final
