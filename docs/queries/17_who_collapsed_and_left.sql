-- Grain: one row per deletion_date, coin_id and index_id.
-- Members that were removed between reviews because they collapsed or stopped trading,
-- as LUNA in May 2022: their weight at the review before, what was left of the price,
-- and what that cost each segment, in parts of its level at the review.
select
    deletions.deletion_date,
    deletions.coin_id,
    seats.index_id,
    deletions.reason,
    round(seats.weight_fraction, 4) as review_weight_fraction,
    seats.price_usd as review_price_usd,
    deletions.removal_price_usd,
    round(
        seats.weight_fraction * (deletions.removal_price_usd / seats.price_usd - 1), 4
    ) as cost_fraction
from indices.deletion as deletions
inner join indices.constituent as seats
    on
        deletions.profile = seats.profile
        and deletions.effective_date = seats.effective_date
        and deletions.coin_id = seats.coin_id
where
    deletions.profile = 'house' and seats.index_id in ('large', 'mid', 'small')
order by cost_fraction asc, deletions.deletion_date desc, deletions.coin_id asc
limit 8
