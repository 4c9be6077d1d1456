-- Grain: one row per market_date, signal_id and entity.
-- Signals of the indices and of the market as a whole, one select each: value, state
-- and what share of its input was there.
with levels as (
    select * from indices.index_level_daily
    where profile = 'house'
),

statistics as (
    select * from indices.index_statistic_daily
    where profile = 'house'
),

cut_offs as (
    select 8 as risk_aversion_components
),

final as (
    select
        market_date,
        'S01' as signal_id,
        index_id as entity,
        level as value,
        'measured' as state,
        coverage_fraction
    from levels
    union all
    select
        statistics.market_date,
        'S02' as signal_id,
        statistics.index_id as entity,
        statistics.return_30d_fraction as value,
        'measured' as state,
        levels.coverage_fraction
    from statistics
    inner join levels
        on
            statistics.market_date = levels.market_date
            and statistics.index_id = levels.index_id
    union all
    select
        market_date,
        'S03' as signal_id,
        pair_id as entity,
        spread_30d_fraction as value,
        state,
        coverage_fraction
    from signals.index_spread_daily
    union all
    select
        extremes.market_date,
        'S04' as signal_id,
        extremes.index_id as entity,
        extremes.days_since_lower as value,
        extremes.state,
        levels.coverage_fraction
    from signals.index_extreme_daily as extremes
    inner join levels
        on
            extremes.market_date = levels.market_date
            and extremes.index_id = levels.index_id
    union all
    select
        market_date,
        'S05' as signal_id,
        'bitcoin' as entity,
        giveback_fraction as value,
        state,
        cast(1 as double) as coverage_fraction
    from signals.bitcoin_daily
    union all
    select
        market_date,
        'S07' as signal_id,
        index_id as entity,
        beating_btc_90d_fraction as value,
        state,
        coverage_fraction
    from signals.breadth_daily
    union all
    select
        week_end_date as market_date,
        'S08' as signal_id,
        spec as entity,
        size_return_fraction as value,
        state,
        observed_count / constituent_count as coverage_fraction
    from signals.factor_weekly
    union all
    select
        market_date,
        'S09' as signal_id,
        source as entity,
        drawdown_usd as value,
        state,
        coverage_fraction
    from signals.market_cap_daily
    union all
    select
        market_date,
        'S10' as signal_id,
        'top100' as entity,
        trigger_count as value,
        case when is_triggered then 'crash' else 'calm' end as state,
        cast(1 as double) as coverage_fraction
    from signals.crash_trigger_daily
    union all
    select
        market_date,
        'S11' as signal_id,
        venue as entity,
        total_usd as value,
        state,
        cast(1 as double) as coverage_fraction
    from signals.liquidation_market_daily
    where quality = 'reported_floor'
    union all
    select
        scores.market_date,
        'S12' as signal_id,
        'market' as entity,
        scores.risk_aversion_score as value,
        scores.state,
        scores.component_count / cut_offs.risk_aversion_components as coverage_fraction
    from signals.risk_aversion_daily as scores
    cross join cut_offs
)

select * from final
