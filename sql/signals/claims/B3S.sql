-- Grain: one row.
-- Sessions without a record before the record close of 18 September 2025.
with readings as (
    select * from signals.equity_index_daily
    where
        ticker = 'RUT'
        and session_date = date '2025-09-18'
),

final as (
    select
        cast(max(sessions_without_record) as double) as actual_value,
        count(close_points) as input_count,
        min(session_date) as first_input_date,
        max(session_date) as last_input_date,
        coalesce(bool_or(is_record_close), false) as is_supported,
        cast(null as varchar) as caveat,
        printf(
            'Close %.2f, a record: %s',
            max(close_points),
            case when bool_or(is_record_close) then 'yes' else 'no' end
        ) as evidence
    from readings
)

select * from final
