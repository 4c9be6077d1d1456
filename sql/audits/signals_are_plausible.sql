-- Grain: one row per signal_id, entity and reason that breaks the rule.
with blocks as (
    select * from signals.signal_block
),

final as (
    select
        signal_id,
        entity,
        reason,
        evidence,
        market_date
    from blocks
)

select * from final
