-- Grain: one row per market_date and coin_id.
-- Whether the holders of the house top 100 are under water. For Bitcoin and Ether by
-- what moved on chain (market over realised value); for any coin as an estimate from
-- its reported trading, which nobody can check: the price against the estimated mean
-- price paid, and the share of a year's volume that was dealt above today's price.
with members as (
    select * from signals.member_daily
    where index_id = 'top100'
),

reference_prices as (
    select * from signals.reference_price_daily
    where reference_price_usd > 0
),

turnovers as (
    select * from signals.coin_turnover_daily
    where volume_24h_usd is not null
),

onchain as (
    select * from staging.onchain_daily
    where metric = 'CapMVRVCur' and value > 0
),

cut_offs as (
    select -0.5 as deep_fraction
),

-- Sums of decimals, which do not depend on their order.
above as (
    select
        reference_prices.market_date,
        reference_prices.coin_id,
        cast(
            coalesce(
                sum(cast(turnovers.volume_24h_usd as decimal(38, 6))) filter (
                    where turnovers.price_usd > reference_prices.price_usd
                ),
                0
            ) as double
        )
        / nullif(
            cast(sum(cast(turnovers.volume_24h_usd as decimal(38, 6))) as double), 0
        ) as volume_above_price_fraction
    from reference_prices
    inner join turnovers
        on
            reference_prices.coin_id = turnovers.coin_id
            and turnovers.market_date between reference_prices.market_date - 364
            and reference_prices.market_date
    group by reference_prices.market_date, reference_prices.coin_id
),

measured as (
    select
        members.market_date,
        members.coin_id,
        onchain.value as mvrv_ratio,
        reference_prices.reference_price_usd,
        1 - reference_prices.reference_price_usd
        / reference_prices.price_usd as unrealised_gain_fraction,
        above.volume_above_price_fraction
    from members
    left join reference_prices
        on
            members.market_date = reference_prices.market_date
            and members.coin_id = reference_prices.coin_id
    left join above
        on
            members.market_date = above.market_date
            and members.coin_id = above.coin_id
    left join onchain
        on
            members.market_date = onchain.market_date
            and members.coin_id = onchain.coin_id
),

final as (
    select
        measured.market_date,
        measured.coin_id,
        measured.mvrv_ratio,
        measured.reference_price_usd as estimated_cost_usd,
        measured.unrealised_gain_fraction as estimated_gain_fraction,
        measured.volume_above_price_fraction as estimated_volume_above_fraction,
        case
            when measured.mvrv_ratio is not null then 'onchain'
            when measured.unrealised_gain_fraction is not null
                then 'estimated_from_volume'
            else 'none'
        end as method,
        case
            when measured.mvrv_ratio < 1 then 'underwater'
            when measured.mvrv_ratio is not null then 'above_water'
            when measured.unrealised_gain_fraction is null then 'insufficient'
            when measured.unrealised_gain_fraction <= cut_offs.deep_fraction
                then 'deep_underwater'
            when measured.unrealised_gain_fraction < 0 then 'underwater'
            else 'above_water'
        end as state
    from measured
    cross join cut_offs
)

select * from final
