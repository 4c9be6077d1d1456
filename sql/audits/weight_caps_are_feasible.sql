-- Grain: one row per profile, effective_date and index_id that breaks the rule.
with constituents as (
    select * from indices.constituent
    where is_cap_infeasible
),

final as (
    select
        profile,
        effective_date,
        index_id,
        count(*) as constituent_count
    from constituents
    group by profile, effective_date, index_id
)

select * from final
