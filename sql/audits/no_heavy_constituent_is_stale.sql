-- Grain: one row per profile and coin_id that breaks the rule.
with constituents as (
    select * from indices.constituent_daily
    where index_id = 'top100'
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
        constituents.market_date,
        constituents.profile,
        constituents.coin_id,
        constituents.weight_fraction,
        constituents.stale_days
    from constituents
    inner join last_days on constituents.market_date = last_days.market_date
    where
        last_days.is_live
        and constituents.stale_days >= 3
        and constituents.weight_fraction >= 0.01
)

select * from final
