-- Grain: one row per profile and effective_date.
-- Whether each review is held. It is not when too few coins pass the screens, or when a
-- coin near the top has no class yet: then the sitting members stay, and the night's
-- levels go on.
with review_calendar as (
    select * from indices.review_calendar
),

candidates as (
    select * from indices.review_candidate
),

counted as (
    select
        review_calendar.profile,
        review_calendar.effective_date,
        count(*) filter (where candidates.is_eligible) as eligible_count,
        string_agg(candidates.coin_id, ', ' order by candidates.screen_rank) filter (
            where
            candidates.asset_class = 'unclassified'
            and candidates.screen_rank <= review_calendar.unclassified_block_rank
        ) as unclassified_coin_ids
    from review_calendar
    left join candidates
        on
            review_calendar.profile = candidates.profile
            and review_calendar.effective_date = candidates.effective_date
    group by review_calendar.profile, review_calendar.effective_date
),

decided as (
    select
        review_calendar.*,
        counted.eligible_count,
        counted.unclassified_coin_ids,
        case
            when counted.unclassified_coin_ids is not null then 'blocked'
            when counted.eligible_count < review_calendar.min_candidate_count
                then 'not held'
            when not review_calendar.is_due then 'pro forma'
            else 'effective'
        end as status
    from review_calendar
    inner join counted
        on
            review_calendar.profile = counted.profile
            and review_calendar.effective_date = counted.effective_date
),

final as (
    select
        profile,
        effective_date,
        cutoff_date,
        weighting_date,
        status,
        status in ('effective', 'pro forma') as is_held,
        case
            when status in ('effective', 'pro forma')
                then row_number() over (
                    partition by profile, status in ('effective', 'pro forma')
                    order by effective_date
                )
        end as review_number,
        eligible_count,
        unclassified_coin_ids,
        rulebook_version
    from decided
)

select * from final
