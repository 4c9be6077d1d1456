-- Grain: one row per profile and effective_date.
-- The first close from which small had fewer members than the rulebook asks for, in the
-- months in which removals or withdrawals left it so. A month whose rules give small
-- fewer seats than that from the start is not meant.
with constituents as (
    select * from indices.constituent
    where index_id = 'small'
),

deletions as (
    select * from indices.deletion
),

review_calendar as (
    select * from indices.review_calendar
),

weighting_dates as (
    select distinct
        profile,
        weighting_date
    from constituents
),

openings as (
    select
        profile,
        effective_date,
        weighting_date as basket_date,
        count(*) as member_change
    from constituents
    group by profile, effective_date, weighting_date
),

removals as (
    select
        constituents.profile,
        constituents.effective_date,
        deletions.deletion_date as basket_date,
        -count(*) as member_change
    from constituents
    inner join deletions
        on
            constituents.profile = deletions.profile
            and constituents.effective_date = deletions.effective_date
            and constituents.coin_id = deletions.coin_id
    -- At the close of a weighting date the new basket begins anyway.
    left join weighting_dates
        on
            deletions.profile = weighting_dates.profile
            and deletions.deletion_date = weighting_dates.weighting_date
    where weighting_dates.weighting_date is null
    group by
        constituents.profile, constituents.effective_date, deletions.deletion_date
),

changes as (
    select * from openings
    union all
    select * from removals
),

counted as (
    select
        profile,
        effective_date,
        basket_date,
        sum(member_change) over (
            partition by profile, effective_date
            order by basket_date
            rows between unbounded preceding and current row
        ) as member_count
    from changes
),

final as (
    select
        counted.profile,
        counted.effective_date,
        counted.basket_date as shortfall_date,
        cast(counted.member_count as bigint) as member_count,
        review_calendar.min_small_member_count
    from counted
    inner join review_calendar
        on
            counted.profile = review_calendar.profile
            and counted.effective_date = review_calendar.effective_date
    where
        counted.member_count < review_calendar.min_small_member_count
        and review_calendar.small_last_rank - review_calendar.mid_last_rank
        >= review_calendar.min_small_member_count
    qualify row_number() over (
        partition by counted.profile, counted.effective_date
        order by counted.basket_date
    ) = 1
)

select * from final
