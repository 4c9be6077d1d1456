-- Grain: one row per profile, effective_date, index_id and coin_id.
-- The basket of every index after every review that has taken effect: units are the
-- circulating supply on the weighting date, frozen until the next review, times the
-- weight factor that an equal or capped index sets on that date.
with baskets as (
    select * from indices.review_basket
    where is_due
),

final as (
    select
        profile,
        effective_date,
        index_id,
        coin_id,
        segment,
        candidate_rank,
        weight_rank,
        weighting_date,
        units,
        supply_date,
        is_held_back,
        price_usd,
        weight_factor,
        market_value_usd,
        weight_fraction,
        is_cap_infeasible,
        rulebook_version
    from baskets
)

select * from final
