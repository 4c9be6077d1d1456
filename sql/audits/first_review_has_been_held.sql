-- Grain: one row per profile that breaks the rule.
with rulebook as (
    select distinct profile from reference.rulebook
),

reviews as (
    select * from indices.review_status
    where status = 'effective'
),

calendar as (
    select
        min(market_date) as first_date,
        max(market_date) as last_date
    from staging.market_calendar
),

held as (
    select distinct profile from reviews
),

final as (
    select
        rulebook.profile,
        calendar.first_date,
        calendar.last_date
    from rulebook
    cross join calendar
    left join held on rulebook.profile = held.profile
    where held.profile is null and calendar.last_date is not null
)

select * from final
