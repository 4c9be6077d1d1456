-- Grain: one row per market_date and profile that breaks the rule.
with levels as (
    select * from indices.index_level_daily
),

summed as (
    select
        market_date,
        profile,
        max(market_value_usd) filter (where index_id = 'top100') as top100_usd,
        sum(market_value_usd) filter (where index_id in ('large', 'mid', 'small'))
            as segments_usd
    from levels
    group by market_date, profile
),

final as (
    select *
    from summed
    where not coalesce(abs(segments_usd / top100_usd - 1) <= 1e-9, false)
)

select * from final
