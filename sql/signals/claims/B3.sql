-- Grain: one row.
-- Record closes of the Russell 2000 in January 2026 before the article; the fund
-- stands in where the index is not there.
with readings as (
    select * from signals.equity_index_daily
    where
        ticker in ('RUT', 'IWM')
        and session_date between date '2026-01-02' and date '2026-01-16'
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
        cast(count(*) filter (where is_record_close) as double) as actual_value,
        count(*) as input_count,
        min(session_date) as first_input_date,
        max(session_date) as last_input_date,
        true as is_supported,
        case
            when bool_or(is_proxy) then 'By the fund IWM: no close of the index itself'
        end as caveat,
        printf(
            '%d record closes of %s in %d sessions',
            count(*) filter (where is_record_close),
            max(ticker),
            count(*)
        ) as evidence
    from series
)

select * from final
