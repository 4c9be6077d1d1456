-- Grain: one row per profile, effective_date and finding that breaks the rule.
with decisions as (
    select * from indices.review_decision
),

review_calendar as (
    select * from indices.review_calendar
),

counted as (
    select
        decisions.profile,
        decisions.effective_date,
        count(*) filter (where decisions.reason is null) as unexplained_count,
        count(*) filter (where decisions.is_in)
        + count(*) filter (where decisions.is_withdrawn) as seat_count,
        count(*) filter (where decisions.candidate_rank is not null) as ranked_count,
        any_value(review_calendar.small_last_rank) as small_last_rank
    from decisions
    inner join review_calendar
        on
            decisions.profile = review_calendar.profile
            and decisions.effective_date = review_calendar.effective_date
    where decisions.review_status in ('effective', 'pro forma')
    group by decisions.profile, decisions.effective_date
),

final as (
    select
        profile,
        effective_date,
        case
            when unexplained_count > 0 then 'a decision without a reason'
            else 'seats are not full'
        end as finding,
        unexplained_count,
        seat_count
    from counted
    where
        unexplained_count > 0
        or seat_count <> least(ranked_count, small_last_rank)
)

select * from final
