-- Grain: one row per market_date, profile and index_id.
-- The level of every index at every 24:00 UTC close: the market value of the basket in
-- force over its divisor. On the day of an event both baskets give the same level. What
-- was published on the night itself stands beside what we would say today.
with totals as (
    select * from indices.basket_total_daily
),

divisor_ledger as (
    select * from indices.divisor_ledger
),

published as (
    select * from ledger.index_level_daily
),

-- On the day of an event the close still belongs to the basket before it.
in_force as (
    select *
    from totals
    qualify row_number() over (
        partition by market_date, profile, index_id
        order by basket_date
    ) = 1
),

-- Effective number of constituents: one over the sum of squared weights.
concentrations as (
    select
        market_date,
        profile,
        index_id,
        cast(
            sum(cast(weight_fraction * weight_fraction as decimal(38, 18))) as double
        ) as squared_weight_sum
    from indices.constituent_daily
    group by market_date, profile, index_id
),

final as (
    select
        in_force.market_date,
        in_force.profile,
        in_force.index_id,
        round(in_force.market_value_usd / divisor_ledger.divisor_after, 6) as level,
        coalesce(
            published.level,
            round(in_force.market_value_usd / divisor_ledger.divisor_after, 6)
        ) as level_as_published,
        in_force.market_value_usd,
        divisor_ledger.divisor_after as divisor,
        in_force.effective_date,
        in_force.basket_date,
        in_force.constituent_count,
        in_force.stale_count,
        in_force.stale_value_usd
        / nullif(in_force.market_value_usd, 0) as stale_weight_fraction,
        1
        - in_force.stale_value_usd
        / nullif(in_force.market_value_usd, 0) as coverage_fraction,
        in_force.max_stale_days,
        in_force.top_value_usd
        / nullif(in_force.market_value_usd, 0) as top_weight_fraction,
        1 / nullif(concentrations.squared_weight_sum, 0) as effective_count,
        in_force.is_reconstructed,
        divisor_ledger.rulebook_version
    from in_force
    inner join divisor_ledger
        on
            in_force.profile = divisor_ledger.profile
            and in_force.index_id = divisor_ledger.index_id
            and in_force.basket_date = divisor_ledger.event_date
    inner join concentrations
        on
            in_force.market_date = concentrations.market_date
            and in_force.profile = concentrations.profile
            and in_force.index_id = concentrations.index_id
    left join published
        on
            in_force.market_date = published.market_date
            and in_force.profile = published.profile
            and in_force.index_id = published.index_id
)

select * from final
