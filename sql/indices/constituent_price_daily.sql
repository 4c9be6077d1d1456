-- Grain: one row per market_date and coin_id.
-- The price that the indices use, for every coin that was ever a constituent and every
-- day since it was first priced. A day without a price carries the last one and counts
-- the days. From the day of a migration on, a coin is priced through its successor.
with members as (
    select distinct coin_id
    from indices.review_decision
    where segment is not null
),

successors as (
    select * from staging.coin_successor
),

prices as (
    select * from staging.coin_price_daily
),

calendar as (
    select * from staging.market_calendar
),

-- The coin itself, and every later form of it with its conversion.
forms as (
    select
        coin_id,
        coin_id as priced_coin_id,
        1.0 as units_per_coin,
        date '0001-01-01' as effective_date,
        0 as link_count
    from members
    union all
    select
        members.coin_id,
        successors.successor_coin_id as priced_coin_id,
        successors.units_per_coin,
        successors.effective_date,
        successors.link_count
    from members
    inner join successors on members.coin_id = successors.coin_id
),

observed as (
    select
        forms.coin_id,
        prices.market_date,
        forms.priced_coin_id,
        forms.units_per_coin,
        prices.price_usd * forms.units_per_coin as price_usd,
        prices.price_sources,
        prices.is_reconstructed
    from forms
    inner join prices
        on
            forms.priced_coin_id = prices.coin_id
            and forms.effective_date <= prices.market_date
    -- The last form wins where two of them trade on one day.
    qualify row_number() over (
        partition by forms.coin_id, prices.market_date
        order by forms.link_count desc, forms.priced_coin_id asc
    ) = 1
),

spans as (
    select
        *,
        lead(market_date) over (partition by coin_id order by market_date) as next_date
    from observed
),

final as (
    select
        calendar.market_date,
        spans.coin_id,
        spans.priced_coin_id,
        spans.units_per_coin,
        spans.price_usd,
        spans.market_date as observed_date,
        calendar.market_date - spans.market_date as stale_days,
        spans.price_sources,
        spans.is_reconstructed
    from spans
    inner join calendar
        on
            spans.market_date <= calendar.market_date
            and (spans.next_date is null or spans.next_date > calendar.market_date)
)

select * from final
