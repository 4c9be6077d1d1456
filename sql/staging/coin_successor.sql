-- Grain: one row per coin_id and successor_coin_id.
-- Every later form of a coin, through any number of migrations, with how many units of
-- the successor one unit of the coin became, and the day from whose close that holds.
with recursive

coin_link as (
    select * from reference.coin_link
),

successors as (
    select
        predecessor_coin_id as coin_id,
        successor_coin_id,
        units_per_predecessor as units_per_coin,
        effective_date,
        kind = 'merger' as has_merger,
        1 as link_count
    from coin_link
    union all
    select
        successors.coin_id,
        coin_link.successor_coin_id,
        successors.units_per_coin * coin_link.units_per_predecessor as units_per_coin,
        greatest(successors.effective_date, coin_link.effective_date) as effective_date,
        successors.has_merger or coin_link.kind = 'merger' as has_merger,
        successors.link_count + 1 as link_count
    from successors
    inner join coin_link on successors.successor_coin_id = coin_link.predecessor_coin_id
),

final as (
    select
        coin_id,
        successor_coin_id,
        units_per_coin,
        effective_date,
        has_merger,
        link_count
    from successors
)

select * from final
