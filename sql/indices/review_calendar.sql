-- Grain: one row per profile and effective_date.
-- The dates of every monthly review and the rules in force on its effective date.
with rulebook as (
    select * from reference.rulebook
),

calendar as (
    select * from staging.market_calendar
),

profiles as (
    select distinct profile from rulebook
),

-- The month of the last observation is listed too: its review may be pending.
month_ends as (
    select distinct last_day(market_date) as weighting_date
    from calendar
),

bounds as (
    select
        min(market_date) as first_date,
        max(market_date) as last_date
    from calendar
),

rules as (
    select
        profiles.profile,
        month_ends.weighting_date,
        rulebook.rule,
        try_cast(rulebook.value as double) as value,
        rulebook.version
    from profiles
    cross join month_ends
    inner join rulebook
        on
            profiles.profile = rulebook.profile
            and month_ends.weighting_date + 1
            >= coalesce(rulebook.effective_from, date '0001-01-01')
            and month_ends.weighting_date + 1
            < coalesce(rulebook.effective_to, date '9999-12-31')
),

in_force as (
    select
        profile,
        weighting_date,
        max(version) as rulebook_version,
        max(value) filter (where rule = 'base_level') as base_level,
        max(value) filter (where rule = 'cutoff_days_before_month_end')
            as cutoff_lead_days,
        max(value) filter (where rule = 'review_known_within_days')
            as known_within_days,
        max(value) filter (where rule = 'rank_window_days') as rank_window_days,
        max(value) filter (where rule = 'supply_max_age_days') as supply_max_age_days,
        max(value) filter (where rule = 'min_candidate_count') as min_candidate_count,
        max(value) filter (where rule = 'last_rank.large') as large_last_rank,
        max(value) filter (where rule = 'last_rank.mid') as mid_last_rank,
        max(value) filter (where rule = 'last_rank.small') as small_last_rank,
        max(value) filter (where rule = 'buffer_fraction.large')
            as large_buffer_fraction,
        max(value) filter (where rule = 'buffer_fraction.mid') as mid_buffer_fraction,
        max(value) filter (where rule = 'buffer_fraction.small')
            as small_buffer_fraction
    from rules
    group by profile, weighting_date
),

final as (
    select
        in_force.profile,
        in_force.weighting_date + 1 as effective_date,
        in_force.weighting_date
        - cast(in_force.cutoff_lead_days as integer) as cutoff_date,
        in_force.weighting_date,
        in_force.weighting_date <= bounds.last_date as is_effective,
        in_force.rulebook_version,
        in_force.base_level,
        cast(in_force.known_within_days as integer) as known_within_days,
        cast(in_force.rank_window_days as integer) as rank_window_days,
        cast(in_force.supply_max_age_days as integer) as supply_max_age_days,
        cast(in_force.min_candidate_count as integer) as min_candidate_count,
        cast(in_force.large_last_rank as integer) as large_last_rank,
        cast(in_force.mid_last_rank as integer) as mid_last_rank,
        cast(in_force.small_last_rank as integer) as small_last_rank,
        in_force.large_buffer_fraction,
        in_force.mid_buffer_fraction,
        in_force.small_buffer_fraction
    from in_force
    cross join bounds
    where
        in_force.weighting_date - cast(in_force.cutoff_lead_days as integer)
        between bounds.first_date and bounds.last_date
)

select * from final
