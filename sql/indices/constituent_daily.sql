-- Grain: one row per market_date, profile, index_id and coin_id.
-- Every constituent on every day: its weight at the close, and what it added to the
-- day's move of the index. The contributions of a day add up to the index's return. On
-- the day of an event the close still belongs to the basket before it.
with positions as (
    select * from indices.basket_value_daily
),

totals as (
    select * from indices.basket_total_daily
),

baskets as (
    select distinct
        profile,
        index_id,
        basket_date,
        next_basket_date
    from indices.basket
),

-- The first basket of all, and the first after an index had lost all its members: on
-- the day that it begins there is none before it.
bases as (
    select
        baskets.profile,
        baskets.index_id,
        baskets.basket_date
    from baskets
    left join baskets as earlier
        on
            baskets.profile = earlier.profile
            and baskets.index_id = earlier.index_id
            and baskets.basket_date = earlier.next_basket_date
    where earlier.basket_date is null
),

final as (
    select
        today.market_date,
        today.profile,
        today.index_id,
        today.coin_id,
        today.effective_date,
        today.basket_date,
        today.units,
        today.price_usd,
        today.stale_days,
        today.market_value_usd / nullif(today_total.market_value_usd, 0)
            as weight_fraction,
        (today.market_value_usd - yesterday.market_value_usd)
        / nullif(yesterday_total.market_value_usd, 0) as contribution_1d_fraction
    from positions as today
    inner join totals as today_total
        on
            today.market_date = today_total.market_date
            and today.profile = today_total.profile
            and today.index_id = today_total.index_id
            and today.basket_date = today_total.basket_date
    left join bases
        on
            today.profile = bases.profile
            and today.index_id = bases.index_id
            and today.market_date = bases.basket_date
    left join positions as yesterday
        on
            today.market_date - 1 = yesterday.market_date
            and today.profile = yesterday.profile
            and today.index_id = yesterday.index_id
            and today.basket_date = yesterday.basket_date
            and today.coin_id = yesterday.coin_id
    left join totals as yesterday_total
        on
            yesterday.market_date = yesterday_total.market_date
            and yesterday.profile = yesterday_total.profile
            and yesterday.index_id = yesterday_total.index_id
            and yesterday.basket_date = yesterday_total.basket_date
    where
        today.basket_date < today.market_date
        or bases.basket_date is not null
)

select * from final
