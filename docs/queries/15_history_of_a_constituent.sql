-- Grain: one row per coin_id and spell.
-- Where a coin sat, review by review, told as spells. Here the coin that moved most
-- often; put `select 'dogecoin' as coin_id` in its place.
with seats as (
    select
        coin_id,
        effective_date,
        index_id,
        candidate_rank,
        weight_fraction,
        lag(index_id)
            over (partition by coin_id order by effective_date)
            as index_before
    from indices.constituent
    where profile = 'house' and index_id in ('large', 'mid', 'small')
),

chosen as (
    select coin_id
    from seats
    group by coin_id
    order by
        count(*) filter (where index_id is distinct from index_before) desc, coin_id asc
    limit 1
),

spells as (
    select
        seats.*,
        count(*) filter (where seats.index_id is distinct from seats.index_before)
            over (
                order by seats.effective_date
            ) as spell
    from seats
    inner join chosen on seats.coin_id = chosen.coin_id
)

select
    coin_id,
    spell,
    any_value(index_id) as index_id,
    min(effective_date) as first_effective_date,
    max(effective_date) as last_effective_date,
    count(*) as review_count,
    min(candidate_rank) as best_rank,
    round(max(weight_fraction), 4) as max_weight_fraction
from spells
group by coin_id, spell
order by spell
