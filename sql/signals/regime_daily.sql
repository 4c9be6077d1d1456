-- Grain: one row per market_date.
-- In which kind of market a day falls, by rules that were known on the day: which
-- exchange-traded products there were, whether the top 100 rise or fall (their average
-- of 200 days and the fall from their high have to agree), and whether they are calm.
with statistics as (
    select * from indices.index_statistic_daily
    where profile = 'house' and index_id = 'top100' and level > 0
),

products as (
    select distinct
        market_date,
        etp_regime
    from signals.regime_spread_daily
),

cut_offs as (
    select
        160 as min_average_days,
        -0.2 as bear_fraction,
        365 as min_observations,
        80 as wild_pct,
        20 as calm_pct
),

averaged as (
    select
        statistics.market_date,
        statistics.level,
        statistics.drawdown_fraction,
        statistics.volatility_30d_fraction,
        case
            when count(*) over days_200 >= cut_offs.min_average_days
                -- A mean of decimals does not depend on the days around its window.
                then avg(cast(statistics.level as decimal(38, 9))) over days_200
        end as average_200d_level
    from statistics
    cross join cut_offs
    window
        days_200 as (
            order by statistics.market_date
            range between interval 199 days preceding and current row
        )
),

ranked as (
    select
        averaged.market_date,
        case
            when count(*) over past >= cut_offs.min_observations
                then
                    100.0
                    * (rank(order by averaged.volatility_30d_fraction) over past - 1)
                    / (count(*) over past - 1)
        end as volatility_percentile_pct
    from averaged
    cross join cut_offs
    where averaged.volatility_30d_fraction is not null
    window
        past as (
            order by averaged.market_date
            range between interval 1459 days preceding and current row
        )
),

final as (
    select
        averaged.market_date,
        coalesce(products.etp_regime, 'unknown') as etp_regime,
        case
            when averaged.average_200d_level is null then 'insufficient'
            when
                averaged.level >= averaged.average_200d_level
                and averaged.drawdown_fraction > cut_offs.bear_fraction
                then 'bull'
            when
                averaged.level < averaged.average_200d_level
                and averaged.drawdown_fraction <= cut_offs.bear_fraction
                then 'bear'
            else 'mixed'
        end as trend_state,
        case
            when ranked.volatility_percentile_pct is null then 'insufficient'
            when ranked.volatility_percentile_pct >= cut_offs.wild_pct then 'wild'
            when ranked.volatility_percentile_pct <= cut_offs.calm_pct then 'calm'
            else 'normal'
        end as volatility_state,
        averaged.average_200d_level,
        averaged.drawdown_fraction,
        averaged.volatility_30d_fraction,
        ranked.volatility_percentile_pct
    from averaged
    cross join cut_offs
    left join products on averaged.market_date = products.market_date
    left join ranked on averaged.market_date = ranked.market_date
)

select * from final
