-- Grain: one row per profile that breaks the rule.
with reviews as (
    select * from indices.review_status
),

due as (
    select *
    from reviews
    qualify row_number() over (
        partition by profile
        order by effective_date desc
    ) = 1
),

final as (
    select
        profile,
        effective_date,
        status,
        eligible_count,
        unclassified_coin_ids
    from due
    where not is_held
)

select * from final
