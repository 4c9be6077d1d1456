-- Grain: one row per market_date.
-- Every UTC day from the first to the last observation, whether or not anything was
-- seen. A market night is one on which at least half as many coins were seen as on the
-- best of the seven days before: on other days it was our sources that failed, not the
-- coins.
with observations as (
    select
        market_date,
        coin_id,
        is_reconstructed
    from staging.market_observation
    where known_to is null and price_usd > 0
),

observed as (
    select
        min(market_date) as first_date,
        max(market_date) as last_date
    from observations
),

days as (
    select
        cast(
            unnest(generate_series(first_date, last_date, interval 1 day)) as date
        ) as market_date
    from observed
),

seen as (
    select
        market_date,
        count(distinct coin_id) as coin_count,
        bool_or(not is_reconstructed) as is_live
    from observations
    group by market_date
),

counted as (
    select
        days.market_date,
        coalesce(seen.coin_count, 0) as coin_count,
        coalesce(seen.is_live, false) as is_live
    from days
    left join seen on days.market_date = seen.market_date
),

compared as (
    select
        market_date,
        coin_count,
        is_live,
        max(coin_count) over (
            order by market_date
            rows between 7 preceding and 1 preceding
        ) as best_coin_count
    from counted
),

nights as (
    select
        market_date,
        coin_count,
        is_live,
        coin_count > 0 and coin_count * 2 >= coalesce(best_coin_count, 0)
            as is_market_night
    from compared
),

final as (
    select
        market_date,
        market_date = last_day(market_date) as is_month_end,
        is_market_night,
        is_live,
        coin_count,
        count(*) filter (where is_market_night) over (
            order by market_date
            rows between unbounded preceding and current row
        ) as market_night_number
    from nights
)

select * from final
