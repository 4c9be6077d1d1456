-- Grain: one row per market_date.
-- Every UTC day from the first to the last observation, whether or not anything was
-- seen. A market night is one on which at least half as many coins were priced as on
-- the best of the seven days before: on other days it was our sources that failed, not
-- the coins.
with observed as (
    select
        min(market_date) as first_date,
        max(market_date) as last_date
    from staging.coin_price_daily
),

days as (
    select
        cast(
            unnest(generate_series(first_date, last_date, interval 1 day)) as date
        ) as market_date
    from observed
),

priced as (
    select
        market_date,
        count(*) as coin_count,
        count(*) filter (where not is_reconstructed) as live_coin_count
    from staging.coin_price_daily
    group by market_date
),

counted as (
    select
        days.market_date,
        coalesce(priced.coin_count, 0) as coin_count,
        coalesce(priced.live_coin_count, 0) as live_coin_count
    from days
    left join priced on days.market_date = priced.market_date
),

compared as (
    select
        market_date,
        coin_count,
        live_coin_count,
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
        live_coin_count,
        coin_count > 0 and coin_count * 2 >= coalesce(best_coin_count, 0)
            as is_market_night
    from compared
),

final as (
    select
        market_date,
        market_date = last_day(market_date) as is_month_end,
        is_market_night,
        live_coin_count > 0 as is_live,
        coin_count,
        count(*) filter (where is_market_night) over (
            order by market_date
            rows between unbounded preceding and current row
        ) as market_night_number
    from nights
)

select * from final
