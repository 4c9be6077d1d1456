-- Grain: one row per market_date.
-- Every UTC day from the first to the last observation, whether or not anything was
-- seen.
with observed as (
    select
        min(market_date) as first_date,
        max(market_date) as last_date
    from staging.coin_price_daily
),

days as (
    select
        cast(unnest(generate_series(first_date, last_date, interval 1 day)) as date)
            as market_date
    from observed
),

final as (
    select
        market_date,
        market_date = last_day(market_date) as is_month_end
    from days
)

select * from final
