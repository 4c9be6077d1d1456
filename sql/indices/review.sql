-- Grain: one row per profile, effective_date and index_id.
-- What each review did to each index: who came, who went, how much of the weight turned
-- over; and, for a review that was not held, why. A review that is still pro forma says
-- what it would do at the last close.
with review_status as (
    select * from indices.review_status
),

review_calendar as (
    select * from indices.review_calendar
),

definitions as (
    select * from reference.index_definition
),

baskets as (
    select * from indices.review_basket
),

closing_weights as (
    select * from indices.constituent_daily
),

events as (
    select distinct
        profile,
        index_id,
        weighting_date,
        valuation_date
    from baskets
),

-- The weights at the close that the new basket begins at. On the base date there is no
-- basket before.
before_review as (
    select
        closing_weights.profile,
        closing_weights.index_id,
        events.weighting_date,
        closing_weights.coin_id,
        closing_weights.weight_fraction
    from closing_weights
    inner join events
        on
            closing_weights.profile = events.profile
            and closing_weights.index_id = events.index_id
            and closing_weights.market_date = events.valuation_date
    where closing_weights.effective_date <= closing_weights.market_date
),

changes as (
    select
        coalesce(baskets.profile, before_review.profile) as profile,
        coalesce(baskets.index_id, before_review.index_id) as index_id,
        coalesce(baskets.weighting_date, before_review.weighting_date)
            as weighting_date,
        coalesce(baskets.coin_id, before_review.coin_id) as coin_id,
        coalesce(baskets.weight_fraction, 0) as weight_after,
        coalesce(before_review.weight_fraction, 0) as weight_before,
        before_review.coin_id is null as is_addition,
        baskets.coin_id is null as is_removal
    from baskets
    full join before_review
        on
            baskets.profile = before_review.profile
            and baskets.index_id = before_review.index_id
            and baskets.weighting_date = before_review.weighting_date
            and baskets.coin_id = before_review.coin_id
),

counted as (
    select
        profile,
        index_id,
        weighting_date,
        count(*) filter (where not is_removal) as constituent_count,
        count(*) filter (where is_addition) as addition_count,
        count(*) filter (where is_removal) as removal_count,
        sum(abs(weight_after - weight_before) order by coin_id)
        / 2 as turnover_fraction,
        string_agg(coin_id, ', ' order by coin_id) filter (where is_addition)
            as additions,
        string_agg(coin_id, ', ' order by coin_id) filter (where is_removal) as removals
    from changes
    group by profile, index_id, weighting_date
),

final as (
    select
        review_status.profile,
        review_status.effective_date,
        definitions.index_id,
        review_status.cutoff_date,
        review_status.weighting_date,
        review_calendar.valuation_date,
        review_status.status,
        review_status.eligible_count,
        review_status.unclassified_coin_ids,
        counted.constituent_count,
        counted.addition_count,
        counted.removal_count,
        counted.turnover_fraction,
        counted.additions,
        counted.removals,
        review_status.rulebook_version
    from review_status
    inner join review_calendar
        on
            review_status.profile = review_calendar.profile
            and review_status.effective_date = review_calendar.effective_date
    cross join definitions
    left join counted
        on
            review_status.profile = counted.profile
            and definitions.index_id = counted.index_id
            and review_status.weighting_date = counted.weighting_date
)

select * from final
