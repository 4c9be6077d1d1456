-- Grain: one row per step of the runs of the last 14 days, the twenty longest.
-- Where the time of the nights went.
with newest as (
    select max(market_date) as market_date from quality.run_step
),

recent as (
    select run_step.*
    from quality.run_step as run_step
    inner join newest
        on run_step.market_date > newest.market_date - interval 14 days
),

final as (
    select
        step,
        count(*) as run_count,
        cast(sum(attempt_count) as bigint) as attempt_count,
        median(seconds) as median_seconds,
        max(seconds) as longest_seconds,
        cast(sum(rows_out_count) as bigint) as rows_out_count
    from recent
    group by step
    order by longest_seconds desc, step asc
    limit 20
)

select * from final
