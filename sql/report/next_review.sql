-- Grain: one row, none before the first market day.
-- The next review of the house profile: when its members and its weights are settled.
with last_days as (
    select max(market_date) as market_date from staging.market_calendar
),

-- On the last day of a month its review is weighted, and the next month's is coming.
coming as (
    select
        market_date,
        last_day(market_date + 1) as weighting_date
    from last_days
    where market_date is not null
),

leads as (
    select cast(rulebook.value as integer) as cutoff_lead_days
    from reference.rulebook
    cross join coming
    where
        rulebook.profile = 'house'
        and rulebook.rule = 'cutoff_days_before_month_end'
        and coming.weighting_date + 1
        >= coalesce(rulebook.effective_from, date '0001-01-01')
        and coming.weighting_date + 1
        < coalesce(rulebook.effective_to, date '9999-12-31')
)

select
    coming.market_date,
    coming.weighting_date + 1 as effective_date,
    coming.weighting_date - leads.cutoff_lead_days as cutoff_date,
    coming.weighting_date
from coming
cross join leads
