-- Grain: one row.
-- Net flows into US spot products since their first day, where somebody imported them
-- as the on-chain metric etp_net_flow_usd.
with readings as (
    select * from staging.onchain_daily
    where
        metric = 'etp_net_flow_usd'
        and market_date between date '2024-01-11' and date '2025-11-16'
),

final as (
    select
        sum(value) as actual_value,
        count(value) as input_count,
        min(market_date) as first_input_date,
        max(market_date) as last_input_date,
        true as is_supported,
        cast(null as varchar) as caveat,
        printf('Net inflow %.1f bn dollars', sum(value) / 1e9) as evidence
    from readings
)

select * from final
