-- Grain: one row per profile that breaks the rule.
with levels as (
    select * from indices.index_level_daily
),

last_days as (
    select max(market_date) as market_date from levels
),

final as (
    select
        levels.market_date,
        levels.profile,
        levels.coverage_fraction
    from levels
    inner join last_days on levels.market_date = last_days.market_date
    where levels.index_id = 'top100' and levels.coverage_fraction < 0.95
)

select * from final
