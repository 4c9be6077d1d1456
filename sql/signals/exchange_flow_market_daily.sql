-- Grain: one row per market_date and exchange.
-- What came to an exchange in all, in US dollars of the day: coins, without the
-- exchange's own token and without stablecoins, which are counted apart because they
-- are money that comes to buy. A fall of 2.1 % in a week is in the lowest twentieth of
-- what was seen, one of 5.3 % in the lowest hundredth.
with flows as (
    select * from signals.exchange_flow_asset_daily
),

members as (
    select * from signals.member_daily
    where index_id = 'top100'
),

cut_offs as (
    select
        -0.021 as outflow_fraction,
        -0.053 as extreme_outflow_fraction
),

-- Decimals, whose sums do not depend on their order.
amounts as (
    select
        flows.market_date,
        flows.exchange,
        flows.token_kind,
        flows.state,
        flows.suspect_days,
        cast(flows.flow_1d_usd as decimal(38, 6)) as flow_1d,
        cast(flows.flow_7d_usd as decimal(38, 6)) as flow_7d,
        cast(
            flows.flow_7d_usd / nullif(flows.flow_7d_fraction, 0) as decimal(38, 6)
        ) as base_7d,
        cast(members.weight_fraction as decimal(38, 18)) as covered_weight
    from flows
    left join members
        on
            flows.market_date = members.market_date
            and flows.coin_id = members.coin_id
            and flows.token_kind = 'coin'
),

sums as (
    select
        market_date,
        exchange,
        cast(sum(flow_1d) filter (where token_kind = 'coin') as double)
            as net_flow_1d_usd,
        cast(sum(flow_7d) filter (where token_kind = 'coin') as double)
            as net_flow_7d_usd,
        cast(sum(base_7d) filter (where token_kind = 'coin') as double)
            as base_7d_usd,
        cast(sum(flow_7d) filter (where token_kind = 'stablecoin') as double)
            as stablecoin_flow_7d_usd,
        count(*) filter (where token_kind = 'coin') as token_count,
        count(*) filter (
            where token_kind = 'coin' and state not in ('suspect', 'insufficient')
        ) as judged_count,
        count(*) filter (where token_kind = 'coin' and state = 'accumulated')
            as accumulated_count,
        count(*) filter (where token_kind = 'coin' and state = 'distributed')
            as distributed_count,
        count(*) filter (where state = 'suspect') as suspect_count,
        cast(coalesce(sum(covered_weight), 0) as double) as coverage_fraction
    from amounts
    group by market_date, exchange
),

measured as (
    select
        *,
        net_flow_7d_usd / nullif(base_7d_usd, 0) as net_flow_7d_fraction
    from sums
),

final as (
    select
        measured.market_date,
        measured.exchange,
        measured.net_flow_1d_usd,
        measured.net_flow_7d_usd,
        measured.net_flow_7d_fraction,
        measured.stablecoin_flow_7d_usd,
        measured.accumulated_count
        / nullif(measured.judged_count, 0) as accumulated_fraction,
        measured.distributed_count
        / nullif(measured.judged_count, 0) as distributed_fraction,
        measured.token_count,
        measured.suspect_count,
        measured.coverage_fraction,
        case
            when measured.net_flow_7d_fraction is null then 'insufficient'
            when measured.net_flow_7d_fraction <= cut_offs.extreme_outflow_fraction
                then 'extreme_outflow'
            when measured.net_flow_7d_fraction <= cut_offs.outflow_fraction
                then 'outflow'
            else 'normal'
        end as state
    from measured
    cross join cut_offs
)

select * from final
