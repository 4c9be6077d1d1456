-- Grain: one row.
-- What the coins but Bitcoin returned in 30 days after the eighth session in a row in
-- which small companies beat large ones, less what they return after any day.
with readings as (
    select * from signals.event_study
    where
        event_kind = 'small_cap_streak'
        and subject in ('rut_over_spx', 'iwm_over_spy')
        and horizon_days = 30
        and target_id = 'top100_ex_btc'
        and as_of_date <= date '2026-01-16'
),

ranked as (
    select
        *,
        row_number() over (
            order by subject desc, as_of_date desc
        ) as preference_rank
    from readings
),

preferred as (
    select * from ranked
    where preference_rank = 1
),

final as (
    select
        max(difference_fraction) as actual_value,
        coalesce(max(event_count), 0) as input_count,
        min(as_of_date) as first_input_date,
        max(as_of_date) as last_input_date,
        coalesce(
            max(p_value) < 0.05
            and max(event_count) >= 10,
            false
        ) as is_supported,
        case
            when max(subject) in ('IWM', 'iwm_over_spy') then 'By the fund IWM'
        end as caveat,
        printf(
            'Episodes of %s: %d; %s',
            max(subject),
            max(event_count),
            coalesce(
                printf(
                    'mean %+.3f against %+.3f on any day (p %.2f)',
                    max(mean_outcome_fraction),
                    max(baseline_outcome_fraction),
                    max(p_value)
                ),
                'too few for a figure'
            )
        ) as evidence
    from preferred
)

select * from final
