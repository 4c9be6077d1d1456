-- Grain: one row per market_date and coin_id.
-- Returns of every coin that ever was in the house top 100, by days of the calendar.
-- Neither end may rest on a price carried for more than three days. The average of 200
-- days needs a close on four fifths of them.
with members as (
    select distinct coin_id
    from signals.member_daily
),

prices as (
    select * from indices.constituent_price_daily
    where price_usd > 0
),

cut_offs as (
    select
        3 as max_stale_days,
        160 as min_average_days
),

known as (
    select
        prices.market_date,
        prices.coin_id,
        prices.price_usd,
        prices.stale_days,
        prices.is_reconstructed,
        prices.known_at,
        case
            when
                count(*) filter (where prices.stale_days = 0) over days_200
                >= cut_offs.min_average_days
                then
                    -- A mean of decimals does not depend on the days around its window.
                    avg(
                        case
                            when prices.stale_days = 0
                                then cast(prices.price_usd as decimal(38, 18))
                        end
                    ) over days_200
        end as average_200d_usd,
        cut_offs.max_stale_days
    from prices
    inner join members on prices.coin_id = members.coin_id
    cross join cut_offs
    window
        days_200 as (
            partition by prices.coin_id
            order by prices.market_date
            range between interval 199 days preceding and current row
        )
),

fresh as (
    select * from known
    where stale_days <= max_stale_days
),

final as (
    select
        fresh.market_date,
        fresh.coin_id,
        fresh.price_usd,
        fresh.average_200d_usd,
        fresh.price_usd / days_1.price_usd - 1 as return_1d_fraction,
        fresh.price_usd / days_30.price_usd - 1 as return_30d_fraction,
        fresh.price_usd / days_90.price_usd - 1 as return_90d_fraction,
        fresh.price_usd / days_365.price_usd - 1 as return_365d_fraction,
        fresh.stale_days,
        fresh.is_reconstructed,
        fresh.known_at
    from fresh
    left join fresh as days_1
        on
            fresh.coin_id = days_1.coin_id
            and fresh.market_date - 1 = days_1.market_date
    left join fresh as days_30
        on
            fresh.coin_id = days_30.coin_id
            and fresh.market_date - 30 = days_30.market_date
    left join fresh as days_90
        on
            fresh.coin_id = days_90.coin_id
            and fresh.market_date - 90 = days_90.market_date
    left join fresh as days_365
        on
            fresh.coin_id = days_365.coin_id
            and fresh.market_date - 365 = days_365.market_date
)

select * from final
