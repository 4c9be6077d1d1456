-- Grain: one row per profile that breaks the rule.
with shortfalls as (
    select * from indices.member_shortfall
),

constituents as (
    select * from indices.constituent
),

last_reviews as (
    select
        profile,
        max(effective_date) as effective_date
    from constituents
    group by profile
),

final as (
    select
        shortfalls.profile,
        shortfalls.effective_date,
        shortfalls.shortfall_date,
        shortfalls.member_count,
        shortfalls.min_small_member_count
    from shortfalls
    inner join last_reviews
        on
            shortfalls.profile = last_reviews.profile
            and shortfalls.effective_date = last_reviews.effective_date
)

select * from final
