-- Grain: one row per profile, effective_date and coin_id that breaks the rule.
with constituents as (
    select * from indices.constituent
),

candidates as (
    select * from indices.review_candidate
),

review_calendar as (
    select * from indices.review_calendar
),

final as (
    select
        constituents.profile,
        constituents.effective_date,
        constituents.coin_id,
        constituents.supply_date,
        candidates.last_observed_date
    from constituents
    inner join review_calendar
        on
            constituents.profile = review_calendar.profile
            and constituents.effective_date = review_calendar.effective_date
    inner join candidates
        on
            constituents.profile = candidates.profile
            and constituents.effective_date = candidates.effective_date
            and constituents.coin_id = candidates.coin_id
    where
        constituents.supply_date > review_calendar.weighting_date
        or candidates.last_observed_date > review_calendar.cutoff_date
)

select * from final
