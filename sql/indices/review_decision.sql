-- Grain: one row per profile, effective_date and coin_id.
-- Every candidate of every review: in or out, where, and why.
with candidates as (
    select * from indices.review_candidate
),

seats as (
    select * from indices.review_seat
),

review_status as (
    select * from indices.review_status
),

withdrawals as (
    select * from indices.review_withdrawal
),

review_calendar as (
    select * from indices.review_calendar
),

final as (
    select
        candidates.profile,
        candidates.effective_date,
        candidates.coin_id,
        review_status.review_number,
        review_status.status as review_status,
        seats.candidate_rank,
        seats.sitting_segment,
        seats.segment,
        seats.segment is not null as is_in,
        coalesce(seats.is_withdrawn, false) as is_withdrawn,
        case
            when not review_status.is_held
                then 'review ' || review_status.status
            when seats.coin_id is null then candidates.ineligible_reason
            when seats.is_withdrawn then 'withdrawn: ' || withdrawals.reason
            when
                seats.segment is null and seats.sitting_segment is not null
                then 'left: beyond the buffer'
            when seats.segment is null then 'not among the largest'
            when
                seats.candidate_rank > review_calendar.small_last_rank
                then 'stays inside the buffer'
            when seats.sitting_segment is null then 'enters by rank'
            when seats.sitting_segment = seats.segment then 'stays by rank'
            else 'moves from ' || seats.sitting_segment
        end as reason,
        candidates.asset_class,
        candidates.rank_cap_usd,
        candidates.price_usd,
        candidates.circulating_supply,
        candidates.median_volume_24h_usd,
        candidates.age_days,
        candidates.observed_days,
        candidates.last_observed_date,
        review_status.rulebook_version
    from candidates
    inner join review_status
        on
            candidates.profile = review_status.profile
            and candidates.effective_date = review_status.effective_date
    inner join review_calendar
        on
            candidates.profile = review_calendar.profile
            and candidates.effective_date = review_calendar.effective_date
    left join seats
        on
            candidates.profile = seats.profile
            and candidates.effective_date = seats.effective_date
            and candidates.coin_id = seats.coin_id
    left join withdrawals
        on
            candidates.profile = withdrawals.profile
            and candidates.effective_date = withdrawals.effective_date
            and candidates.coin_id = withdrawals.coin_id
)

select * from final
