-- Grain: one row per profile, effective_date and index_id.
-- What each review did to each index: who came, who went, how much of the weight turned
-- over; and, for a review that was not held, why.
with review_calendar as (
    select * from indices.review_calendar
),

candidates as (
    select * from indices.review_candidate
),

constituents as (
    select * from indices.constituent
),

closing_weights as (
    select * from indices.constituent_daily
),

index_ids as (
    select distinct
        profile,
        index_id
    from constituents
),

candidate_counts as (
    select
        profile,
        effective_date,
        count(*) filter (where is_eligible) as eligible_count
    from candidates
    group by profile, effective_date
),

events as (
    select distinct
        profile,
        index_id,
        weighting_date
    from constituents
),

before_review as (
    select closing_weights.*
    from closing_weights
    inner join events
        on
            closing_weights.profile = events.profile
            and closing_weights.index_id = events.index_id
            and closing_weights.market_date = events.weighting_date
    where closing_weights.effective_date <= closing_weights.market_date
),

changes as (
    select
        coalesce(after_review.profile, before_review.profile) as profile,
        coalesce(after_review.index_id, before_review.index_id) as index_id,
        coalesce(after_review.weighting_date, before_review.market_date)
            as weighting_date,
        coalesce(after_review.coin_id, before_review.coin_id) as coin_id,
        coalesce(after_review.weight_fraction, 0) as weight_after,
        coalesce(before_review.weight_fraction, 0) as weight_before,
        before_review.coin_id is null as is_addition,
        after_review.coin_id is null as is_deletion
    from constituents as after_review
    full join before_review
        on
            after_review.profile = before_review.profile
            and after_review.index_id = before_review.index_id
            and after_review.weighting_date = before_review.market_date
            and after_review.coin_id = before_review.coin_id
),

counted as (
    select
        profile,
        index_id,
        weighting_date,
        count(*) filter (where not is_deletion) as constituent_count,
        count(*) filter (where is_addition) as addition_count,
        count(*) filter (where is_deletion) as deletion_count,
        sum(abs(weight_after - weight_before) order by coin_id)
        / 2 as turnover_fraction,
        string_agg(coin_id, ', ' order by coin_id) filter (where is_addition)
            as additions,
        string_agg(coin_id, ', ' order by coin_id) filter (where is_deletion)
            as deletions
    from changes
    group by profile, index_id, weighting_date
),

final as (
    select
        review_calendar.profile,
        review_calendar.effective_date,
        index_ids.index_id,
        review_calendar.cutoff_date,
        review_calendar.weighting_date,
        case
            when candidate_counts.eligible_count < review_calendar.min_candidate_count
                then 'not held'
            when not review_calendar.is_effective then 'pro forma'
            else 'effective'
        end as status,
        coalesce(candidate_counts.eligible_count, 0) as eligible_count,
        counted.constituent_count,
        counted.addition_count,
        counted.deletion_count,
        counted.turnover_fraction,
        counted.additions,
        counted.deletions,
        review_calendar.rulebook_version
    from review_calendar
    inner join index_ids on review_calendar.profile = index_ids.profile
    left join candidate_counts
        on
            review_calendar.profile = candidate_counts.profile
            and review_calendar.effective_date = candidate_counts.effective_date
    left join counted
        on
            review_calendar.profile = counted.profile
            and index_ids.index_id = counted.index_id
            and review_calendar.weighting_date = counted.weighting_date
)

select * from final
