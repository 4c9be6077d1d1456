-- Grain: one row.
-- Return of the Russell 2000 in the year so far on 15 January 2026; the fund stands in
-- where the index is not there.
with readings as (
    select * from signals.equity_index_daily
    where
        ticker in ('RUT', 'IWM')
        and session_date = date '2026-01-15'
        and return_ytd_fraction is not null
),

ranked as (
    select
        *,
        dense_rank() over (order by is_proxy) as preference_rank
    from readings
),

series as (
    select * from ranked
    where preference_rank = 1
),

final as (
    select
        max(return_ytd_fraction) as actual_value,
        count(*) as input_count,
        min(session_date) as first_input_date,
        max(session_date) as last_input_date,
        true as is_supported,
        case
            when bool_or(is_proxy) then 'By the fund IWM: no close of the index itself'
        end as caveat,
        printf(
            '%s %+.2f %% in the year so far',
            max(ticker),
            100 * max(return_ytd_fraction)
        ) as evidence
    from series
)

select * from final
