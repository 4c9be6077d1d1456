-- Grain: one row per market_date, index_id and coin_id.
-- Who was in the house indices on a day, with the price and cap of that day: the
-- cross-section that the market's signals are taken over. The cap is price times the
-- units that the index holds. A price carried for more than three days is not fresh.
with constituents as (
    select * from indices.constituent_daily
    where
        profile = 'house'
        and index_id in ('top100', 'top100_ex_btc', 'large', 'mid', 'small')
),

cut_offs as (
    select 3 as max_stale_days
),

final as (
    select
        constituents.market_date,
        constituents.index_id,
        constituents.coin_id,
        row_number() over (
            partition by constituents.market_date, constituents.index_id
            order by
                constituents.units * constituents.price_usd desc nulls last,
                constituents.coin_id asc
        ) as cap_rank,
        constituents.price_usd > 0
        and constituents.stale_days <= cut_offs.max_stale_days as is_fresh,
        constituents.price_usd,
        constituents.units * constituents.price_usd as market_cap_usd,
        constituents.weight_fraction,
        constituents.stale_days
    from constituents
    cross join cut_offs
)

select * from final
