-- Grain: one row per fact_id that breaks the rule.
with reconciliation as (
    select * from indices.reconciliation
),

final as (
    select
        fact_id,
        profile,
        index_id,
        metric,
        published_value,
        our_value,
        tolerance
    from reconciliation
    where verdict = 'beyond tolerance'
)

select * from final
