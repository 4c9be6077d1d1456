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
        cast(max(value) filter (where rule = 'cutoff_days_before_month_end') as integer)
            as cutoff_lead_days,
        cast(max(value) filter (where rule = 'review_known_within_days') as integer)
            as known_within_days,
        cast(max(value) filter (where rule = 'rank_window_days') as integer)
            as rank_window_days,
        cast(max(value) filter (where rule = 'input_max_age_days') as integer)
            as input_max_age_days,
        cast(max(value) filter (where rule = 'min_candidate_count') as integer)
            as min_candidate_count,
        cast(max(value) filter (where rule = 'unclassified_block_rank') as integer)
            as unclassified_block_rank,
        cast(max(value) filter (where rule = 'last_rank.large') as integer)
            as large_last_rank,
        cast(max(value) filter (where rule = 'last_rank.mid') as integer)
            as mid_last_rank,
        cast(max(value) filter (where rule = 'last_rank.small') as integer)
            as small_last_rank,
        cast(max(value) filter (where rule = 'min_age_days') as integer)
            as min_age_days,
        cast(max(value) filter (where rule = 'fast_entry_age_days') as integer)
            as fast_entry_age_days,
        cast(max(value) filter (where rule = 'fast_entry_rank') as integer)
            as fast_entry_rank,
        cast(max(value) filter (where rule = 'stale_remove_days') as integer)
            as stale_remove_days,
        cast(
            max(value) filter (
                where rule = 'stale_remove_days_reconstructed'
            ) as integer
        )
            as stale_remove_days_reconstructed,
        cast(max(value) filter (where rule = 'max_stale_days_at_cutoff') as integer)
            as max_stale_days_at_cutoff,
        cast(max(value) filter (where rule = 'min_small_member_count') as integer)
            as min_small_member_count,
        max(value) filter (where rule = 'base_level') as base_level,
        max(value) filter (where rule = 'buffer_fraction.large')
            as large_buffer_fraction,
        max(value) filter (where rule = 'buffer_fraction.mid') as mid_buffer_fraction,
        max(value) filter (where rule = 'buffer_fraction.small')
            as small_buffer_fraction,
        max(value) filter (where rule = 'min_median_volume_usd')
            as min_median_volume_usd,
        max(value) filter (where rule = 'sitting_volume_fraction')
            as sitting_volume_fraction,
        max(value) filter (where rule = 'min_turnover_ratio') as min_turnover_ratio,
        max(value) filter (where rule = 'min_observed_fraction')
            as min_observed_fraction,
        max(value) filter (where rule = 'supply_change_gate_fraction')
            as supply_change_gate_fraction,
        max(value) filter (where rule = 'supply_agreement_fraction')
            as supply_agreement_fraction,
        max(value) filter (where rule = 'collapse_fraction') as collapse_fraction
    from rules
    group by profile, weighting_date
),

dated as (
    select
        in_force.*,
        in_force.weighting_date - in_force.cutoff_lead_days as cutoff_date,
        in_force.weighting_date <= bounds.last_date as is_due,
        bounds.first_date,
        bounds.last_date
    from in_force
    cross join bounds
),

final as (
    select
        profile,
        weighting_date + 1 as effective_date,
        cutoff_date,
        weighting_date,
        is_due,
        least(weighting_date, last_date) as valuation_date,
        cast(cutoff_date as timestamptz) + to_days(known_within_days)
            as cutoff_known_by,
        cast(weighting_date as timestamptz) + to_days(known_within_days)
            as weighting_known_by,
        known_within_days,
        rank_window_days,
        input_max_age_days,
        min_candidate_count,
        unclassified_block_rank,
        large_last_rank,
        mid_last_rank,
        small_last_rank,
        min_age_days,
        fast_entry_age_days,
        fast_entry_rank,
        stale_remove_days,
        stale_remove_days_reconstructed,
        max_stale_days_at_cutoff,
        min_small_member_count,
        base_level,
        large_buffer_fraction,
        mid_buffer_fraction,
        small_buffer_fraction,
        min_median_volume_usd,
        sitting_volume_fraction,
        min_turnover_ratio,
        min_observed_fraction,
        supply_change_gate_fraction,
        supply_agreement_fraction,
        collapse_fraction,
        rulebook_version
    from dated
    where cutoff_date between first_date and last_date
)

select * from final
