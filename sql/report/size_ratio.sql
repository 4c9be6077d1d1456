-- Grain: one row per market_date.
-- Small over large of the house profile, 1 on the base day, and where it stands since.
with pairs as (
    select * from indices.index_pair_daily
),

spreads as (
    select * from signals.index_spread_daily
),

final as (
    select
        pairs.market_date,
        pairs.ratio,
        pairs.percentile_since_base_pct,
        spreads.spread_30d_fraction,
        spreads.state
    from pairs
    left join spreads
        on pairs.market_date = spreads.market_date and pairs.pair_id = spreads.pair_id
    where pairs.profile = 'house' and pairs.pair_id = 'small_over_large'
    order by pairs.market_date
)

select * from final
