-- Grain: one row per week_end_date and coin_id.
-- The cross-section of the weekly factors: who was in the house top 100 at the end of
-- the week before, how large and how strong they were then, and what they returned
-- since. A year has 52 weeks: 51 of seven days from 1 January on, the last takes the
-- rest.
with calendar as (
    select * from staging.market_calendar
),

members as (
    select * from signals.member_daily
    where index_id = 'top100' and is_fresh
),

prices as (
    select * from indices.constituent_price_daily
),

-- Parts of the cross-section below and above which a coin counts, as in the literature
-- that the factors come from; a price from before the week is none.
cut_offs as (
    select
        0.3 as low_fraction,
        0.7 as high_fraction,
        0.5 as half_fraction,
        7 as max_stale_days
),

weeks as (
    select
        market_date as week_end_date,
        lag(market_date) over (order by market_date) as formation_date,
        lag(market_date, 4) over (order by market_date) as momentum_date
    from calendar
    where
        (month(market_date) = 12 and day(market_date) = 31)
        or (dayofyear(market_date) % 7 = 0 and dayofyear(market_date) <= 357)
),

formed as (
    select
        weeks.week_end_date,
        members.coin_id,
        weeks.formation_date,
        members.market_cap_usd,
        case
            when ended.stale_days < cut_offs.max_stale_days
                then ended.price_usd / members.price_usd - 1
        end as return_1w_fraction,
        case
            when started.stale_days < cut_offs.max_stale_days
                then members.price_usd / nullif(started.price_usd, 0) - 1
        end as momentum_3w_fraction
    from weeks
    cross join cut_offs
    inner join members on weeks.formation_date = members.market_date
    left join prices as ended
        on
            weeks.week_end_date = ended.market_date
            and members.coin_id = ended.coin_id
    left join prices as started
        on
            weeks.momentum_date = started.market_date
            and members.coin_id = started.coin_id
),

ranked as (
    select
        *,
        cume_dist() over (partition by week_end_date order by market_cap_usd)
            as size_position,
        case
            when momentum_3w_fraction is not null
                then
                    cume_dist() over (
                        partition by week_end_date, momentum_3w_fraction is null
                        order by momentum_3w_fraction
                    )
        end as momentum_position
    from formed
),

final as (
    select
        ranked.week_end_date,
        ranked.coin_id,
        ranked.formation_date,
        ranked.market_cap_usd,
        ranked.return_1w_fraction,
        ranked.momentum_3w_fraction,
        case
            when ranked.size_position <= cut_offs.low_fraction then 'small'
            when ranked.size_position > cut_offs.high_fraction then 'big'
            else 'middle'
        end as size_group,
        case
            when ranked.size_position <= cut_offs.half_fraction then 'small'
            else 'big'
        end as size_half,
        case
            when ranked.momentum_position <= cut_offs.low_fraction then 'loser'
            when ranked.momentum_position > cut_offs.high_fraction then 'winner'
            when ranked.momentum_position is not null then 'middle'
        end as momentum_group
    from ranked
    cross join cut_offs
)

select * from final
