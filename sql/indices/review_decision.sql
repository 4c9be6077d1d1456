-- Grain: one row per profile, effective_date and coin_id.
-- Who is in after each review, and in which segment. A cut at rank n is decided with a
-- buffer b: everybody ranked n(1 - b) or better is in, then sitting members ranked n(1
-- + b) or better, then the best of the rest, until n places are taken. Each review
-- looks at the members of the one before, so the reviews are worked through in order.
with recursive

candidates as (
    select * from indices.review_candidate
    where is_eligible
),

review_calendar as (
    select * from indices.review_calendar
),

successors as (
    select * from staging.coin_successor
),

candidate_counts as (
    select
        profile,
        effective_date,
        count(*) as candidate_count
    from candidates
    group by profile, effective_date
),

-- A review with too few candidates is not held: the sitting members stay.
held as (
    select
        review_calendar.*,
        row_number() over (
            partition by review_calendar.profile
            order by review_calendar.effective_date
        ) as review_number
    from review_calendar
    inner join candidate_counts
        on
            review_calendar.profile = candidate_counts.profile
            and review_calendar.effective_date = candidate_counts.effective_date
    where candidate_counts.candidate_count >= review_calendar.min_candidate_count
),

entries as (
    select
        held.*,
        candidates.coin_id,
        candidates.candidate_rank
    from held
    inner join candidates
        on
            held.profile = candidates.profile
            and held.effective_date = candidates.effective_date
),

decided as (
    select
        profile,
        review_number,
        effective_date,
        cutoff_date,
        coin_id,
        candidate_rank,
        cast(null as varchar) as sitting_segment,
        candidate_rank <= large_last_rank as is_in_large,
        candidate_rank <= mid_last_rank as is_in_large_mid,
        candidate_rank <= small_last_rank as is_in_top
    from entries
    where review_number = 1

    union all

    select
        ranked.profile,
        ranked.review_number,
        ranked.effective_date,
        ranked.cutoff_date,
        ranked.coin_id,
        ranked.candidate_rank,
        ranked.sitting_segment,
        ranked.large_place <= ranked.large_last_rank as is_in_large,
        ranked.large_mid_place <= ranked.mid_last_rank as is_in_large_mid,
        ranked.top_place <= ranked.small_last_rank as is_in_top
    from (
        select
            entries.*,
            sitting.segment as sitting_segment,
            row_number() over (
                partition by entries.profile
                order by
                    case
                        when
                            entries.candidate_rank
                            <= entries.large_last_rank
                            * (1 - entries.large_buffer_fraction)
                            then 1
                        when
                            sitting.segment = 'large'
                            and entries.candidate_rank
                            <= entries.large_last_rank
                            * (1 + entries.large_buffer_fraction)
                            then 2
                        else 3
                    end,
                    entries.candidate_rank
            ) as large_place,
            row_number() over (
                partition by entries.profile
                order by
                    case
                        when
                            entries.candidate_rank
                            <= entries.mid_last_rank * (1 - entries.mid_buffer_fraction)
                            then 1
                        when
                            sitting.segment in ('large', 'mid')
                            and entries.candidate_rank
                            <= entries.mid_last_rank * (1 + entries.mid_buffer_fraction)
                            then 2
                        else 3
                    end,
                    entries.candidate_rank
            ) as large_mid_place,
            row_number() over (
                partition by entries.profile
                order by
                    case
                        when
                            entries.candidate_rank
                            <= entries.small_last_rank
                            * (1 - entries.small_buffer_fraction)
                            then 1
                        when
                            sitting.segment is not null
                            and entries.candidate_rank
                            <= entries.small_last_rank
                            * (1 + entries.small_buffer_fraction)
                            then 2
                        else 3
                    end,
                    entries.candidate_rank
            ) as top_place
        from entries
        inner join (
            select distinct
                profile,
                review_number + 1 as review_number
            from decided
        ) as turn
            on
                entries.profile = turn.profile
                and entries.review_number = turn.review_number
        -- A successor inherits the seat of the coin that it replaced.
        left join (
            select
                decided.profile,
                coalesce(successors.successor_coin_id, decided.coin_id) as coin_id,
                min(
                    case
                        when decided.is_in_large then 'large'
                        when decided.is_in_large_mid then 'mid'
                        when decided.is_in_top then 'small'
                    end
                ) as segment
            from decided
            left join successors
                on
                    decided.coin_id = successors.coin_id
                    and decided.cutoff_date < successors.effective_date
            where decided.is_in_top
            group by
                decided.profile, coalesce(successors.successor_coin_id, decided.coin_id)
        ) as sitting
            on
                entries.profile = sitting.profile
                and entries.coin_id = sitting.coin_id
    ) as ranked
),

final as (
    select
        profile,
        effective_date,
        coin_id,
        review_number,
        candidate_rank,
        sitting_segment,
        case
            when is_in_large then 'large'
            when is_in_large_mid then 'mid'
            when is_in_top then 'small'
        end as segment
    from decided
)

select * from final
