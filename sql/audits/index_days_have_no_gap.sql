-- Grain: one row per profile and index_id that breaks the rule.
with levels as (
    select * from indices.index_level_daily
),

calendar as (
    select * from staging.market_calendar
),

spans as (
    select
        profile,
        index_id,
        min(market_date) as first_date,
        max(market_date) as last_date,
        count(*) as day_count
    from levels
    group by profile, index_id
),

last_days as (
    select max(market_date) as last_date from calendar
),

final as (
    select
        spans.profile,
        spans.index_id,
        spans.first_date,
        spans.last_date,
        spans.day_count
    from spans
    cross join last_days
    where
        spans.day_count <> spans.last_date - spans.first_date + 1
        or spans.last_date <> last_days.last_date
)

select * from final
