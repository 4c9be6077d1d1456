-- Grain: one row per market_date.
-- How averse to risk the market is, 0 to 100: the mean of the percentiles of its parts,
-- of which five of eight must be there. The missing ones are named.
with components as (
    select * from signals.risk_aversion_component_daily
),

cut_offs as (
    select
        5 as min_components,
        365 as min_observations,
        75 as high_score,
        25 as low_score
),

-- Means of decimals, which do not depend on their order.
means as (
    select
        market_date,
        count(percentile_pct) as component_count,
        avg(cast(percentile_pct as decimal(18, 9))) as mean_pct,
        max(percentile_pct) filter (where component_id = 'bitcoin_volatility')
            as bitcoin_volatility_pct,
        max(percentile_pct) filter (where component_id = 'size_spread')
            as size_spread_pct,
        max(percentile_pct) filter (where component_id = 'drawdown') as drawdown_pct,
        max(percentile_pct) filter (where component_id = 'stablecoin_share')
            as stablecoin_share_pct,
        max(percentile_pct) filter (where component_id = 'falling_altcoins')
            as falling_altcoins_pct,
        max(percentile_pct) filter (where component_id = 'funding') as funding_pct,
        max(percentile_pct) filter (where component_id = 'vix') as vix_pct,
        max(percentile_pct) filter (where component_id = 'fear_greed')
            as fear_greed_pct,
        coalesce(
            string_agg(component_id, ', ' order by component_id) filter (
                where percentile_pct is null
            ),
            ''
        ) as missing_components
    from components
    group by market_date
),

scored as (
    select
        means.*,
        case
            when means.component_count >= cut_offs.min_components then means.mean_pct
        end as risk_aversion_score
    from means
    cross join cut_offs
),

ranked as (
    select
        scored.market_date,
        count(*) over past as observation_count,
        case
            when count(*) over past >= cut_offs.min_observations
                then
                    100.0 * (rank(order by scored.risk_aversion_score) over past - 1)
                    / (count(*) over past - 1)
        end as percentile_pct
    from scored
    cross join cut_offs
    where scored.risk_aversion_score is not null
    window
        past as (
            order by scored.market_date
            range between interval 1459 days preceding and current row
        )
),

final as (
    select
        scored.market_date,
        scored.risk_aversion_score,
        ranked.percentile_pct,
        coalesce(ranked.observation_count, 0) as observation_count,
        scored.component_count,
        scored.missing_components,
        scored.bitcoin_volatility_pct,
        scored.size_spread_pct,
        scored.drawdown_pct,
        scored.stablecoin_share_pct,
        scored.falling_altcoins_pct,
        scored.funding_pct,
        scored.vix_pct,
        scored.fear_greed_pct,
        case
            when scored.risk_aversion_score is null then 'insufficient'
            when scored.risk_aversion_score >= cut_offs.high_score then 'high'
            when scored.risk_aversion_score <= cut_offs.low_score then 'low'
            else 'normal'
        end as state
    from scored
    cross join cut_offs
    left join ranked on scored.market_date = ranked.market_date
)

select * from final
