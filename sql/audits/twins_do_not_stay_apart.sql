-- Grain: one row per twin_id and twin_source that breaks the rule.
with differences as (
    select * from signals.twin_difference_daily
),

last_day as (
    select max(market_date) as last_date from staging.market_calendar
),

-- A weekend has no session.
cut_offs as (
    select 4 as max_age_days
),

newest as (
    select differences.*
    from differences
    cross join last_day
    cross join cut_offs
    where differences.market_date >= last_day.last_date - cut_offs.max_age_days
    qualify row_number() over (
        partition by differences.twin_id, differences.twin_source
        order by differences.market_date desc
    ) = 1
),

final as (
    select
        twin_id,
        twin_source,
        market_date,
        own_value,
        twin_value,
        twin_difference,
        apart_count
    from newest
    where state = 'apart'
)

select * from final
