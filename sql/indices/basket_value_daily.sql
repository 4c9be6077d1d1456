-- Grain: one row per market_date, profile, index_id, basket_date and coin_id.
-- What every position of a basket is worth on every day on which the basket is in
-- force: from the close that it begins at to the close that the next one begins at,
-- both included. On the day of its removal a coin counts at its removal price.
with baskets as (
    select * from indices.basket
),

prices as (
    select * from indices.constituent_price_daily
),

deletions as (
    select * from indices.deletion
),

calendar as (
    select * from staging.market_calendar
),

bounds as (
    select max(market_date) as last_date from calendar
),

spans as (
    select distinct
        baskets.profile,
        baskets.index_id,
        baskets.basket_date,
        coalesce(baskets.next_basket_date, bounds.last_date) as last_date
    from baskets
    cross join bounds
),

basket_days as (
    select
        profile,
        index_id,
        basket_date,
        cast(
            unnest(generate_series(basket_date, last_date, interval 1 day)) as date
        ) as market_date
    from spans
),

valued as (
    select
        prices.market_date,
        baskets.profile,
        baskets.index_id,
        baskets.basket_date,
        baskets.coin_id,
        baskets.effective_date,
        baskets.units,
        coalesce(deletions.removal_price_usd, prices.price_usd) as price_usd,
        baskets.units * coalesce(deletions.removal_price_usd, prices.price_usd)
            as market_value_usd,
        prices.stale_days,
        prices.is_reconstructed
    from baskets
    inner join basket_days
        on
            baskets.profile = basket_days.profile
            and baskets.index_id = basket_days.index_id
            and baskets.basket_date = basket_days.basket_date
    inner join prices
        on
            baskets.coin_id = prices.coin_id
            and basket_days.market_date = prices.market_date
    left join deletions
        on
            baskets.profile = deletions.profile
            and baskets.effective_date = deletions.effective_date
            and baskets.coin_id = deletions.coin_id
            and prices.market_date = deletions.deletion_date
),

-- Values are added as decimals, which end there; no market is worth so much.
final as (
    select
        market_date,
        profile,
        index_id,
        basket_date,
        coin_id,
        effective_date,
        units,
        price_usd,
        case
            when market_value_usd >= 1e26
                then error(
                    coin_id || ' would be worth ' || market_value_usd
                    || ' US dollars on ' || market_date
                    || ': correct its price or its supply'
                )
            else market_value_usd
        end as market_value_usd,
        stale_days,
        is_reconstructed
    from valued
)

select * from final
