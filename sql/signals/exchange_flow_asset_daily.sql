-- Grain: one row per market_date, exchange and token_symbol.
-- Whether a token was carried off an exchange (accumulated) or to it (distributed) in a
-- week: by 2 % of the balance or more, and a robust standard deviation or more from
-- what is usual for it. Needs a flow on six of the seven days, and 180 such weeks.
with flows as (
    select * from signals.exchange_flow_daily
),

tokens as (
    select * from signals.exchange_token_daily
),

cut_offs as (
    select
        6 as min_flow_days,
        180 as min_observations,
        0.02 as min_share_fraction,
        1 as min_robust_z
),

weekly as (
    select
        flows.*,
        case
            when count(flows.flow_1d_units) over week >= cut_offs.min_flow_days
                -- A sum of decimals does not depend on the days around its window.
                then
                    cast(
                        sum(cast(flows.flow_1d_units as decimal(38, 9))) over week
                        as double
                    )
        end as flow_7d_units,
        count(*) filter (where flows.is_suspect) over week as suspect_days
    from flows
    cross join cut_offs
    window
        week as (
            partition by flows.exchange, flows.token_symbol
            order by flows.market_date
            range between interval 6 days preceding and current row
        )
),

-- Of the balance as it would have been a week ago without the suspect jumps.
shares as (
    select
        *,
        flow_7d_units / nullif(balance_units - flow_7d_units, 0) as flow_7d_fraction
    from weekly
),

deviations as (
    select
        shares.market_date,
        shares.exchange,
        shares.token_symbol,
        count(*) over year as observation_count,
        case
            when count(*) over year >= cut_offs.min_observations
                then
                    (
                        shares.flow_7d_fraction
                        - median(shares.flow_7d_fraction) over year
                    )
                    / nullif(1.4826 * mad(shares.flow_7d_fraction) over year, 0)
        end as flow_7d_robust_z
    from shares
    cross join cut_offs
    where shares.flow_7d_fraction is not null
    window
        year as (
            partition by shares.exchange, shares.token_symbol
            order by shares.market_date
            range between interval 364 days preceding and current row
        )
),

final as (
    select
        shares.market_date,
        shares.exchange,
        shares.token_symbol,
        tokens.coin_id,
        tokens.token_kind,
        shares.balance_units,
        shares.flow_1d_units,
        shares.flow_1d_units * shares.price_usd as flow_1d_usd,
        shares.flow_7d_units,
        shares.flow_7d_units * shares.price_usd as flow_7d_usd,
        shares.flow_7d_fraction,
        deviations.flow_7d_robust_z,
        coalesce(deviations.observation_count, 0) as observation_count,
        shares.suspect_days,
        case
            when shares.is_suspect then 'suspect'
            when deviations.flow_7d_robust_z is null then 'insufficient'
            when
                shares.flow_7d_fraction <= -cut_offs.min_share_fraction
                and deviations.flow_7d_robust_z <= -cut_offs.min_robust_z
                then 'accumulated'
            when
                shares.flow_7d_fraction >= cut_offs.min_share_fraction
                and deviations.flow_7d_robust_z >= cut_offs.min_robust_z
                then 'distributed'
            else 'neutral'
        end as state,
        shares.is_reconstructed
    from shares
    cross join cut_offs
    inner join tokens
        on
            shares.market_date = tokens.market_date
            and shares.exchange = tokens.exchange
            and shares.token_symbol = tokens.token_symbol
    left join deviations
        on
            shares.market_date = deviations.market_date
            and shares.exchange = deviations.exchange
            and shares.token_symbol = deviations.token_symbol
)

select * from final
