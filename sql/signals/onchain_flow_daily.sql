-- Grain: one row per market_date and coin_id.
-- What came to the known addresses of all exchanges on a coin's own chain. The levels
-- are lower bounds, as not every exchange's addresses are known; changes tell more.
with metrics as (
    select * from staging.onchain_daily
    where metric in ('FlowInExUSD', 'FlowOutExUSD', 'SplyExNtv', 'SplyExUSD')
),

cut_offs as (
    select
        6 as min_flow_days,
        180 as min_observations,
        0.02 as min_share_fraction,
        1 as min_robust_z
),

pivoted as (
    select
        market_date,
        coin_id,
        max(value) filter (where metric = 'FlowInExUSD') as inflow_usd,
        max(value) filter (where metric = 'FlowOutExUSD') as outflow_usd,
        max(value) filter (where metric = 'SplyExNtv') as exchange_supply_units,
        max(value) filter (where metric = 'SplyExUSD') as exchange_supply_usd,
        bool_or(is_reconstructed) as is_reconstructed
    from metrics
    group by market_date, coin_id
),

weekly as (
    select
        pivoted.*,
        pivoted.inflow_usd - pivoted.outflow_usd as net_flow_1d_usd,
        case
            when
                count(pivoted.inflow_usd - pivoted.outflow_usd) over week
                >= cut_offs.min_flow_days
                -- A sum of decimals does not depend on the days around its window.
                then
                    cast(
                        sum(
                            cast(
                                pivoted.inflow_usd - pivoted.outflow_usd
                                as decimal(38, 6)
                            )
                        ) over week as double
                    )
        end as net_flow_7d_usd
    from pivoted
    cross join cut_offs
    window
        week as (
            partition by pivoted.coin_id
            order by pivoted.market_date
            range between interval 6 days preceding and current row
        )
),

shares as (
    select
        *,
        net_flow_7d_usd / nullif(exchange_supply_usd, 0) as net_flow_7d_fraction
    from weekly
),

deviations as (
    select
        shares.market_date,
        shares.coin_id,
        count(*) over year as observation_count,
        case
            when count(*) over year >= cut_offs.min_observations
                then
                    (
                        shares.net_flow_7d_fraction
                        - median(shares.net_flow_7d_fraction) over year
                    )
                    / nullif(1.4826 * mad(shares.net_flow_7d_fraction) over year, 0)
        end as net_flow_7d_robust_z
    from shares
    cross join cut_offs
    where shares.net_flow_7d_fraction is not null
    window
        year as (
            partition by shares.coin_id
            order by shares.market_date
            range between interval 364 days preceding and current row
        )
),

final as (
    select
        shares.market_date,
        shares.coin_id,
        shares.inflow_usd,
        shares.outflow_usd,
        shares.net_flow_1d_usd,
        shares.net_flow_7d_usd,
        shares.exchange_supply_units,
        shares.net_flow_7d_fraction,
        deviations.net_flow_7d_robust_z,
        coalesce(deviations.observation_count, 0) as observation_count,
        case
            when deviations.net_flow_7d_robust_z is null then 'insufficient'
            when
                shares.net_flow_7d_fraction <= -cut_offs.min_share_fraction
                and deviations.net_flow_7d_robust_z <= -cut_offs.min_robust_z
                then 'accumulated'
            when
                shares.net_flow_7d_fraction >= cut_offs.min_share_fraction
                and deviations.net_flow_7d_robust_z >= cut_offs.min_robust_z
                then 'distributed'
            else 'neutral'
        end as state,
        shares.is_reconstructed
    from shares
    cross join cut_offs
    left join deviations
        on
            shares.market_date = deviations.market_date
            and shares.coin_id = deviations.coin_id
)

select * from final
