-- Grain: one row per coin_id.
-- What was in an index on a day, how heavy, and what each coin did to the day's move.
-- The contributions of all coins add up to the index's return.
with as_of as (
    select market_date from main.about
)

select
    seats.market_date,
    seats.coin_id,
    coins.symbol,
    round(seats.weight_fraction, 4) as weight_fraction,
    round(sum(seats.weight_fraction) over (
        order by seats.weight_fraction desc, seats.coin_id asc
    ), 4) as cumulated_fraction,
    round(seats.contribution_1d_fraction, 5) as contribution_1d_fraction,
    seats.stale_days
from indices.constituent_daily as seats
inner join as_of on seats.market_date = as_of.market_date
left join staging.coin as coins on seats.coin_id = coins.coin_id
where seats.profile = 'house' and seats.index_id = 'large'
order by seats.weight_fraction desc, seats.coin_id asc
limit 8
