-- Grain: one row per profile and index_id that breaks the rule.
with levels as (
    select * from indices.index_level_daily
),

calendar as (
    select * from staging.market_calendar
),

definitions as (
    select * from reference.index_definition
),

reviews as (
    select * from indices.review_status
    where status = 'effective'
),

bases as (
    select
        profile,
        min(weighting_date) as base_date
    from reviews
    group by profile
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
        bases.profile,
        definitions.index_id,
        spans.first_date,
        spans.last_date,
        coalesce(spans.day_count, 0) as day_count
    from bases
    cross join definitions
    cross join last_days
    left join spans
        on
            bases.profile = spans.profile
            and definitions.index_id = spans.index_id
    where
        spans.day_count is null
        or spans.first_date <> bases.base_date
        or spans.last_date <> last_days.last_date
        or spans.day_count <> spans.last_date - spans.first_date + 1
)

select * from final
