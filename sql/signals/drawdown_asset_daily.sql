-- Grain: one row per market_date and coin_id.
-- How far every coin of the house top 100 is below the highest of our own closes so
-- far, and whether it is within 10 % of the lowest. A provider's all-time high is not
-- used: in a replay it is known before its day. A coin counts once it has been priced
-- for 180 days, or since the first day of all history.
with members as (
    select * from signals.member_daily
    where index_id = 'top100'
),

prices as (
    select * from indices.constituent_price_daily
    where price_usd > 0 and coin_id in (select members.coin_id from members)
),

cut_offs as (
    select
        180 as min_age_days,
        1.1 as near_low_ratio
),

history as (
    select min(observed_date) as first_date from prices
),

-- A carried price is one of the prices before it and moves no extreme.
extremes as (
    select
        prices.market_date,
        prices.coin_id,
        max(prices.price_usd) over so_far as high_usd,
        min(prices.price_usd) over so_far as low_usd,
        min(prices.market_date) over so_far as first_date
    from prices
    window
        so_far as (
            partition by prices.coin_id
            order by prices.market_date
            rows between unbounded preceding and current row
        )
),

tracked as (
    select
        *,
        min(market_date) over (partition by coin_id, high_usd) as high_date
    from extremes
),

joined as (
    select
        members.market_date,
        members.coin_id,
        members.price_usd,
        members.market_cap_usd,
        members.is_fresh,
        tracked.high_usd,
        tracked.high_date,
        tracked.low_usd,
        members.market_date - tracked.first_date as age_days,
        members.market_date - tracked.first_date >= cut_offs.min_age_days
        or tracked.first_date = history.first_date as is_old_enough,
        members.price_usd <= cut_offs.near_low_ratio * tracked.low_usd as is_near_low
    from members
    inner join tracked
        on
            members.market_date = tracked.market_date
            and members.coin_id = tracked.coin_id
    cross join history
    cross join cut_offs
),

measured as (
    select
        *,
        case when is_fresh and is_old_enough then price_usd / high_usd end as high_ratio
    from joined
),

final as (
    select
        market_date,
        coin_id,
        price_usd,
        market_cap_usd,
        high_usd,
        high_date,
        low_usd,
        high_ratio - 1 as drawdown_fraction,
        market_date - high_date as days_since_high,
        age_days,
        coalesce(high_ratio is not null and is_near_low, false) as is_near_low,
        case
            when high_ratio is null then 'insufficient'
            when high_ratio <= 0.1 then 'down_90_100'
            when high_ratio <= 0.2 then 'down_80_90'
            when high_ratio <= 0.5 then 'down_50_80'
            when high_ratio <= 0.8 then 'down_20_50'
            else 'down_0_20'
        end as state
    from measured
)

select * from final
