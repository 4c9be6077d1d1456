-- Grain: one row per profile, index_id and effective_date that breaks the rule.
with divisor_ledger as (
    select * from indices.divisor_ledger
    where event_kind <> 'base'
),

final as (
    select
        profile,
        index_id,
        effective_date,
        divisor_before,
        divisor_after
    from divisor_ledger
    where
        not coalesce(
            abs(
                (market_value_after_usd / divisor_after)
                / (market_value_before_usd / divisor_before)
                - 1
            ) <= 1e-9,
            false
        )
)

select * from final
