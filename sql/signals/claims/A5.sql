-- Grain: one row.
-- Rises of the top 100 by a fifth or more between turning points until the end of
-- 2021, and the share of them in which small coins rose more than large ones.
with turns as (
    select * from signals.turning_point
    where
        series_id = 'top100'
        and superseded_date is null
        and pivot_date <= date '2021-12-31'
),

levels as (
    select * from indices.index_level_daily
    where profile = 'house' and index_id in ('small', 'large')
),

phases as (
    select
        pivot_kind,
        pivot_date as start_date,
        level as start_level,
        lead(pivot_date) over (order by pivot_date, pivot_kind) as end_date,
        lead(level) over (order by pivot_date, pivot_kind) as end_level
    from turns
),

bull_phases as (
    select *
    from phases
    where pivot_kind = 'trough' and end_level >= 1.2 * start_level
),

growth as (
    select
        bull_phases.start_date,
        bull_phases.end_date,
        starts.index_id,
        ends.level / starts.level as growth_ratio
    from bull_phases
    inner join levels as starts on bull_phases.start_date = starts.market_date
    inner join levels as ends
        on
            bull_phases.end_date = ends.market_date
            and starts.index_id = ends.index_id
),

compared as (
    select
        start_date,
        end_date,
        max(growth_ratio) filter (where index_id = 'small')
        > max(growth_ratio) filter (where index_id = 'large') as is_small_ahead
    from growth
    group by start_date, end_date
),

final as (
    select
        cast(avg(cast(is_small_ahead as integer)) as double) as actual_value,
        count(is_small_ahead) as input_count,
        min(start_date) as first_input_date,
        max(end_date) as last_input_date,
        count(is_small_ahead) >= 3 as is_supported,
        printf(
            'Our history begins in %d; earlier bull markets are not in it',
            year(min(start_date))
        ) as caveat,
        printf(
            'Small ahead of large in %d of %d rises',
            count(*) filter (where is_small_ahead),
            count(is_small_ahead)
        ) as evidence
    from compared
)

select * from final
