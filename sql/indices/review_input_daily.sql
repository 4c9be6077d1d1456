-- Grain: one row per profile, effective_date, coin_id and market_date.
-- What was known of a coin when a review was decided: price, supply and cap of the days
-- before the cut-off. A row that we learned later is not here, whatever it says.
with review_calendar as (
    select * from indices.review_calendar
),

observations as (
    select * from staging.market_observation
),

-- One row per review and day that it may look at, so that the join below is by day.
review_days as (
    select
        profile,
        effective_date,
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

seen as (
    select
        review_days.profile,
        review_days.effective_date,
        observations.coin_id,
        observations.market_date,
        observations.price_usd,
        observations.circulating_supply,
        observations.volume_24h_usd,
        observations.is_reconstructed
    from review_days
    inner join observations on review_days.market_date = observations.market_date
    where
        observations.price_usd > 0
        and observations.known_from <= review_days.cutoff_known_by
        and (
            observations.known_to is null
            or observations.known_to > review_days.cutoff_known_by
        )
),

by_day as (
    select
        profile,
        effective_date,
        coin_id,
        market_date,
        median(price_usd) as price_usd,
        median(circulating_supply) filter (where circulating_supply > 0)
            as circulating_supply,
        median(volume_24h_usd) as volume_24h_usd,
        bool_and(is_reconstructed) as is_reconstructed
    from seen
    group by profile, effective_date, coin_id, market_date
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
