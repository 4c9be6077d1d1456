-- Grain: one row.
-- Sessions by which the Russell 2000 leads the top 100, at the last month's end before
-- the article.
with readings as (
    select * from signals.lead_lag
    where
        pair_id in ('rut_top100', 'iwm_top100')
        and as_of_date between date '2025-11-30' and date '2026-01-16'
        and lead_sessions is not null
),

ranked as (
    select
        *,
        row_number() over (
            order by pair_id desc, as_of_date desc
        ) as preference_rank
    from readings
),

preferred as (
    select * from ranked
    where preference_rank = 1
),

final as (
    select
        cast(max_by(lead_sessions, as_of_date) as double) as actual_value,
        count(*) as input_count,
        min(as_of_date) as first_input_date,
        max(as_of_date) as last_input_date,
        coalesce(max_by(state, as_of_date) = 'equities_lead', false) as is_supported,
        case when max(pair_id) = 'iwm_top100' then 'By the fund IWM' end as caveat,
        printf(
            '%s: correlation %.2f at that lead, %.2f in the same session, p %.2f, %s',
            max(pair_id),
            max_by(correlation_at_lead, as_of_date),
            max_by(correlation_same_session, as_of_date),
            max_by(p_value, as_of_date),
            max_by(state, as_of_date)
        ) as evidence
    from preferred
)

select * from final
