-- Grain: one row per profile that breaks the rule.
with levels as (
    select * from indices.index_level_daily
),

calendar as (
    select * from staging.market_calendar
),

last_days as (
    select
        market_date,
        is_live
    from calendar
    qualify row_number() over (order by market_date desc) = 1
),

final as (
    select
        levels.market_date,
        levels.profile,
        levels.coverage_fraction
    from levels
    inner join last_days on levels.market_date = last_days.market_date
    where
        last_days.is_live
        and levels.index_id = 'top100'
        and levels.coverage_fraction < 0.95
)

select * from final
