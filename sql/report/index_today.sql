-- Grain: one row per index_id of the house profile, of its last day.
-- What an index came to: level, returns, highs and lows, and how much of it was priced.
with statistics as (
    select * from indices.index_statistic_daily
),

levels as (
    select * from indices.index_level_daily
),

definitions as (
    select * from reference.index_definition
),

final as (
    select
        statistics.market_date,
        statistics.index_id,
        definitions.title,
        statistics.level,
        statistics.return_1d_fraction,
        statistics.return_7d_fraction,
        statistics.return_30d_fraction,
        statistics.return_ytd_fraction,
        statistics.return_1y_fraction,
        statistics.drawdown_fraction,
        statistics.high_date,
        statistics.low_since_date,
        statistics.high_since_date,
        statistics.volatility_30d_fraction,
        levels.constituent_count,
        levels.coverage_fraction,
        levels.stale_weight_fraction,
        levels.top_weight_fraction,
        levels.effective_date,
        levels.is_reconstructed
    from statistics
    inner join levels
        on
            statistics.market_date = levels.market_date
            and statistics.profile = levels.profile
            and statistics.index_id = levels.index_id
    inner join definitions on statistics.index_id = definitions.index_id
    where statistics.profile = 'house'
    qualify
        statistics.market_date = max(statistics.market_date) over (
            partition by statistics.index_id
        )
    order by statistics.index_id
)

select * from final
