-- Grain: one row per profile, effective_date and coin_id.
-- The ranking of every review held, and who gets which seat. A cut at rank n is decided
-- with a buffer b: everybody ranked n(1 - b) or better is in, then sitting members
-- ranked n(1 + b) or better, then the best of the rest, until n places are taken. A
-- coin that met a trigger of deletion since the cut-off does not take its seat, and
-- nobody else does. Each review looks at the members of the one before, so the reviews
-- are worked through in order.
with recursive

candidates as (
    select * from indices.review_candidate
    where is_eligible_if_sitting
),

review_calendar as (
    select * from indices.review_calendar
),

review_status as (
    select * from indices.review_status
    where is_held
),

withdrawals as (
    select * from indices.review_withdrawal
),

successors as (
    select * from staging.coin_successor
),

entries as (
    select
        review_status.profile,
        review_status.effective_date,
        review_status.cutoff_date,
        review_status.review_number,
        candidates.coin_id,
        candidates.is_eligible,
        candidates.rank_cap_usd,
        candidates.median_volume_24h_usd,
        candidates.age_days,
        withdrawals.coin_id is not null as is_withdrawn,
        review_calendar.large_last_rank,
        review_calendar.mid_last_rank,
        review_calendar.small_last_rank,
        review_calendar.large_buffer_fraction,
        review_calendar.mid_buffer_fraction,
        review_calendar.small_buffer_fraction
    from review_status
    inner join review_calendar
        on
            review_status.profile = review_calendar.profile
            and review_status.effective_date = review_calendar.effective_date
    inner join candidates
        on
            review_status.profile = candidates.profile
            and review_status.effective_date = candidates.effective_date
    left join withdrawals
        on
            candidates.profile = withdrawals.profile
            and candidates.effective_date = withdrawals.effective_date
            and candidates.coin_id = withdrawals.coin_id
),

seated as (
    -- Before the first review nobody sits.
    select
        profile,
        effective_date,
        cutoff_date,
        coin_id,
        cast(0 as bigint) as review_number,
        cast(null as bigint) as candidate_rank,
        cast(null as varchar) as sitting_segment,
        cast(null as varchar) as segment,
        false as is_withdrawn
    from entries
    where review_number = 1

    union all

    select
        placed.profile,
        placed.effective_date,
        placed.cutoff_date,
        placed.coin_id,
        placed.review_number,
        placed.candidate_rank,
        placed.sitting_segment,
        case
            when placed.is_withdrawn then null
            when placed.large_place <= placed.large_last_rank then 'large'
            when placed.large_mid_place <= placed.mid_last_rank then 'mid'
            when placed.top_place <= placed.small_last_rank then 'small'
        end as segment,
        placed.is_withdrawn
        and least(
            placed.large_place - placed.large_last_rank,
            placed.large_mid_place - placed.mid_last_rank,
            placed.top_place - placed.small_last_rank
        ) <= 0 as is_withdrawn
    from (
        select
            ranked.*,
            row_number() over (
                partition by ranked.profile
                order by
                    case
                        when
                            ranked.candidate_rank
                            <= ranked.large_last_rank
                            * (1 - ranked.large_buffer_fraction)
                            then 1
                        when
                            ranked.sitting_segment = 'large'
                            and ranked.candidate_rank
                            <= ranked.large_last_rank
                            * (1 + ranked.large_buffer_fraction)
                            then 2
                        else 3
                    end,
                    ranked.candidate_rank
            ) as large_place,
            row_number() over (
                partition by ranked.profile
                order by
                    case
                        when
                            ranked.candidate_rank
                            <= ranked.mid_last_rank
                            * (1 - ranked.mid_buffer_fraction)
                            then 1
                        when
                            ranked.sitting_segment in ('large', 'mid')
                            and ranked.candidate_rank
                            <= ranked.mid_last_rank
                            * (1 + ranked.mid_buffer_fraction)
                            then 2
                        else 3
                    end,
                    ranked.candidate_rank
            ) as large_mid_place,
            row_number() over (
                partition by ranked.profile
                order by
                    case
                        when
                            ranked.candidate_rank
                            <= ranked.small_last_rank
                            * (1 - ranked.small_buffer_fraction)
                            then 1
                        when
                            ranked.sitting_segment is not null
                            and ranked.candidate_rank
                            <= ranked.small_last_rank
                            * (1 + ranked.small_buffer_fraction)
                            then 2
                        else 3
                    end,
                    ranked.candidate_rank
            ) as top_place
        from (
            select
                entries.*,
                sitting.segment as sitting_segment,
                row_number() over (
                    partition by entries.profile
                    order by
                        entries.rank_cap_usd desc,
                        entries.median_volume_24h_usd desc nulls last,
                        entries.age_days desc nulls first,
                        entries.coin_id asc
                ) as candidate_rank
            from entries
            inner join (
                select distinct
                    profile,
                    review_number + 1 as review_number
                from seated
            ) as turn
                on
                    entries.profile = turn.profile
                    and entries.review_number = turn.review_number
            -- From the link on a successor inherits the seat of the old coin.
            left join (
                select
                    seats.profile,
                    seats.coin_id,
                    min(seats.segment) as segment
                from (
                    select
                        profile,
                        coin_id,
                        segment
                    from seated
                    where segment is not null
                    union all
                    select
                        seated.profile,
                        successors.successor_coin_id as coin_id,
                        seated.segment
                    from seated
                    inner join successors on seated.coin_id = successors.coin_id
                    inner join review_status
                        on
                            seated.profile = review_status.profile
                            and seated.review_number + 1 = review_status.review_number
                            and successors.effective_date <= review_status.cutoff_date
                    where seated.segment is not null
                ) as seats
                group by seats.profile, seats.coin_id
            ) as sitting
                on
                    entries.profile = sitting.profile
                    and entries.coin_id = sitting.coin_id
            where entries.is_eligible or sitting.segment is not null
        ) as ranked
    ) as placed
),

final as (
    select
        profile,
        effective_date,
        coin_id,
        review_number,
        candidate_rank,
        sitting_segment,
        segment,
        is_withdrawn
    from seated
    where review_number > 0
)

select * from final
