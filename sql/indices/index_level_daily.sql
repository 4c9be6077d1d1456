-- Grain: one row per market_date, profile and index_id.
-- The level of every index at every 24:00 UTC close: the market value of the basket in
-- force over its divisor. On a weighting date both baskets give the same level.
with totals as (
    select * from indices.basket_total_daily
),

divisor_ledger as (
    select * from indices.divisor_ledger
),

-- On a weighting date the close still belongs to the old basket.
in_force as (
    select *
    from totals
    qualify row_number() over (
        partition by market_date, profile, index_id
        order by effective_date
    ) = 1
),

final as (
    select
        in_force.market_date,
        in_force.profile,
        in_force.index_id,
        round(in_force.market_value_usd / divisor_ledger.divisor_after, 6) as level,
        in_force.market_value_usd,
        divisor_ledger.divisor_after as divisor,
        in_force.effective_date,
        in_force.constituent_count,
        in_force.stale_count,
        in_force.stale_value_usd / in_force.market_value_usd as stale_weight_fraction,
        1 - in_force.stale_value_usd / in_force.market_value_usd as coverage_fraction,
        in_force.max_stale_days,
        in_force.is_reconstructed,
        divisor_ledger.rulebook_version
    from in_force
    inner join divisor_ledger
        on
            in_force.profile = divisor_ledger.profile
            and in_force.index_id = divisor_ledger.index_id
            and in_force.effective_date = divisor_ledger.effective_date
)

select * from final
