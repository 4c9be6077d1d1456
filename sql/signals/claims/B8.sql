-- Grain: one row.
-- Share of matched turning points over two years less the share that chance exceeds in
-- one case of twenty.
with readings as (
    select * from signals.turning_point_match
    where
        pair_id in ('rut_top100', 'iwm_top100')
        and session_date between date '2026-01-09' and date '2026-01-16'
        and match_rate_fraction is not null
),

ranked as (
    select
        *,
        row_number() over (
            order by pair_id desc, session_date desc
        ) as preference_rank
    from readings
),

preferred as (
    select * from ranked
    where preference_rank = 1
),

final as (
    select
        max_by(match_rate_fraction - null_p95_fraction, session_date) as actual_value,
        count(*) as input_count,
        min(session_date) as first_input_date,
        max(session_date) as last_input_date,
        coalesce(max_by(match_p_value, session_date) < 0.05, false) as is_supported,
        case when max(pair_id) = 'iwm_top100' then 'By the fund IWM' end as caveat,
        printf(
            '%s: %.2f matched, %.2f by chance, 95th percentile of chance %.2f (p %.2f)',
            max(pair_id),
            max_by(match_rate_fraction, session_date),
            max_by(null_mean_fraction, session_date),
            max_by(null_p95_fraction, session_date),
            max_by(match_p_value, session_date)
        ) as evidence
    from preferred
)

select * from final
