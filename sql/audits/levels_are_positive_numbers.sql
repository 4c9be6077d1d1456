-- Grain: one row per market_date, profile and index_id that breaks the rule.
with levels as (
    select * from indices.index_level_daily
),

final as (
    select
        market_date,
        profile,
        index_id,
        level
    from levels
    where not coalesce(level > 0 and isfinite(level), false)
)

select * from final
