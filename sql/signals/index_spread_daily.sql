-- Grain: one row per market_date and pair_id.
-- How much more one house index returned than another: small over large is the appetite
-- for size. The percentile is that of the 30-day spread among those of the last 1,460
-- days, from 365 of them on.
with pairs as (
    select * from indices.index_pair_daily
    where profile = 'house'
),

statistics as (
    select * from indices.index_statistic_daily
    where profile = 'house'
),

levels as (
    select * from indices.index_level_daily
    where profile = 'house'
),

-- First trading day of spot Bitcoin products in the US.
launch as (
    select min(event_date) as launch_date
    from reference.event_calendar
    where event_kind = 'etp_launch' and subject = 'bitcoin'
),

cut_offs as (
    select
        365 as min_observations,
        60 as risk_on_pct,
        40 as risk_off_pct
),

launch_levels as (
    select
        levels.index_id,
        levels.market_date as launch_date,
        levels.level as launch_level
    from levels
    inner join launch on levels.market_date = launch.launch_date
),

returns as (
    select
        statistics.*,
        levels.coverage_fraction,
        levels.is_reconstructed,
        statistics.level / nullif(launch_levels.launch_level, 0)
        - 1 as return_since_launch_fraction
    from statistics
    inner join levels
        on
            statistics.market_date = levels.market_date
            and statistics.index_id = levels.index_id
    left join launch_levels
        on
            statistics.index_id = launch_levels.index_id
            and statistics.market_date >= launch_levels.launch_date
),

spreads as (
    select
        pairs.market_date,
        pairs.pair_id,
        pairs.numerator_index_id,
        pairs.denominator_index_id,
        above.return_7d_fraction - below.return_7d_fraction as spread_7d_fraction,
        above.return_30d_fraction - below.return_30d_fraction as spread_30d_fraction,
        above.return_90d_fraction - below.return_90d_fraction as spread_90d_fraction,
        above.return_ytd_fraction - below.return_ytd_fraction as spread_ytd_fraction,
        above.return_since_launch_fraction
        - below.return_since_launch_fraction as spread_since_etp_fraction,
        pairs.ratio,
        max(pairs.ratio) over (
            partition by pairs.pair_id
            order by pairs.market_date
            rows between unbounded preceding and current row
        ) as high_ratio,
        least(above.coverage_fraction, below.coverage_fraction) as coverage_fraction,
        above.is_reconstructed or below.is_reconstructed as is_reconstructed
    from pairs
    inner join returns as above
        on
            pairs.market_date = above.market_date
            and pairs.numerator_index_id = above.index_id
    inner join returns as below
        on
            pairs.market_date = below.market_date
            and pairs.denominator_index_id = below.index_id
),

ranked as (
    select
        spreads.market_date,
        spreads.pair_id,
        count(*) over past as observation_count,
        case
            when count(*) over past >= cut_offs.min_observations
                then
                    100.0 * (rank(order by spreads.spread_30d_fraction) over past - 1)
                    / (count(*) over past - 1)
        end as spread_30d_percentile_pct
    from spreads
    cross join cut_offs
    where spreads.spread_30d_fraction is not null
    window
        past as (
            partition by spreads.pair_id
            order by spreads.market_date
            range between interval 1459 days preceding and current row
        )
),

final as (
    select
        spreads.market_date,
        spreads.pair_id,
        spreads.numerator_index_id,
        spreads.denominator_index_id,
        spreads.spread_7d_fraction,
        spreads.spread_30d_fraction,
        spreads.spread_90d_fraction,
        spreads.spread_ytd_fraction,
        spreads.spread_since_etp_fraction,
        spreads.ratio,
        spreads.ratio / nullif(spreads.high_ratio, 0) - 1 as ratio_drawdown_fraction,
        ranked.spread_30d_percentile_pct,
        coalesce(ranked.observation_count, 0) as observation_count,
        spreads.coverage_fraction,
        case
            when ranked.spread_30d_percentile_pct is null then 'insufficient'
            when
                spreads.spread_30d_fraction > 0
                and ranked.spread_30d_percentile_pct > cut_offs.risk_on_pct
                then 'risk_on'
            when
                spreads.spread_30d_fraction < 0
                and ranked.spread_30d_percentile_pct < cut_offs.risk_off_pct
                then 'risk_off'
            else 'neutral'
        end as state,
        spreads.is_reconstructed
    from spreads
    cross join cut_offs
    left join ranked
        on
            spreads.market_date = ranked.market_date
            and spreads.pair_id = ranked.pair_id
)

select * from final
