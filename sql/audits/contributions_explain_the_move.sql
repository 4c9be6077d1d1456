-- Grain: one row per market_date, profile and index_id that breaks the rule.
with constituents as (
    select * from indices.constituent_daily
),

statistics as (
    select * from indices.index_statistic_daily
),

summed as (
    select
        market_date,
        profile,
        index_id,
        sum(contribution_1d_fraction) as contribution_sum
    from constituents
    group by market_date, profile, index_id
),

final as (
    select
        statistics.market_date,
        statistics.profile,
        statistics.index_id,
        summed.contribution_sum,
        statistics.return_1d_fraction
    from statistics
    inner join summed
        on
            statistics.market_date = summed.market_date
            and statistics.profile = summed.profile
            and statistics.index_id = summed.index_id
    -- Levels are rounded to six decimals, so a tiny level allows a larger gap.
    where
        statistics.return_1d_fraction is not null
        and not coalesce(
            abs(summed.contribution_sum - statistics.return_1d_fraction)
            <= 1e-9 + 2e-6 / statistics.level,
            false
        )
)

select * from final
