-- Grain: one row per profile, index_id and coin_id.
-- The coming review, between its cut-off and its weighting date: who joins, stays and
-- leaves, with the weights at the last close in the basket in force and in the one to
-- come. The members are settled but for a deletion; the weights move with prices and
-- supplies. Empty while no cut-off has passed, or where the review is not held.
with baskets as (
    select * from indices.review_basket
    where not is_due
),

closing_weights as (
    select * from indices.constituent_daily
),

decisions as (
    select * from indices.review_decision
),

review as (
    select * from indices.review
    where status = 'pro forma'
),

in_force as (
    select
        review.profile,
        review.index_id,
        review.effective_date,
        closing_weights.coin_id,
        closing_weights.weight_fraction
    from review
    inner join closing_weights
        on
            review.profile = closing_weights.profile
            and review.index_id = closing_weights.index_id
            and review.valuation_date = closing_weights.market_date
),

paired as (
    select
        coalesce(baskets.profile, in_force.profile) as profile,
        coalesce(baskets.effective_date, in_force.effective_date) as effective_date,
        coalesce(baskets.index_id, in_force.index_id) as index_id,
        coalesce(baskets.coin_id, in_force.coin_id) as coin_id,
        case
            when in_force.coin_id is null then 'joins'
            when baskets.coin_id is null then 'leaves'
            else 'stays'
        end as change,
        baskets.segment,
        baskets.candidate_rank,
        baskets.units,
        coalesce(in_force.weight_fraction, 0) as weight_in_force_fraction,
        coalesce(baskets.weight_fraction, 0) as weight_fraction
    from baskets
    full join in_force
        on
            baskets.profile = in_force.profile
            and baskets.index_id = in_force.index_id
            and baskets.effective_date = in_force.effective_date
            and baskets.coin_id = in_force.coin_id
),

final as (
    select
        paired.profile,
        paired.index_id,
        paired.coin_id,
        paired.effective_date,
        review.cutoff_date,
        review.weighting_date,
        review.valuation_date,
        paired.change,
        case
            when
                paired.change = 'joins'
                and decisions.sitting_segment is not null
                and decisions.reason not like 'moves from %'
                then 'takes the seat of the coin that it replaces'
            else coalesce(decisions.reason, 'not a candidate at the cut-off')
        end as reason,
        paired.segment,
        decisions.sitting_segment,
        coalesce(paired.candidate_rank, decisions.candidate_rank) as candidate_rank,
        paired.units,
        paired.weight_in_force_fraction,
        paired.weight_fraction,
        paired.weight_fraction - paired.weight_in_force_fraction
            as weight_change_fraction,
        review.rulebook_version
    from paired
    inner join review
        on
            paired.profile = review.profile
            and paired.index_id = review.index_id
            and paired.effective_date = review.effective_date
    left join decisions
        on
            paired.profile = decisions.profile
            and paired.effective_date = decisions.effective_date
            and paired.coin_id = decisions.coin_id
)

select * from final
