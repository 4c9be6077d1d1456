-- Grain: one row per market_date, profile and index_id that breaks the rule.
with constituents as (
    select * from indices.constituent_daily
),

summed as (
    select
        market_date,
        profile,
        index_id,
        sum(weight_fraction) as weight_sum
    from constituents
    group by market_date, profile, index_id
),

final as (
    select *
    from summed
    where not coalesce(abs(weight_sum - 1) <= 1e-9, false)
)

select * from final
