-- Grain: one row.
-- Worth of the top 100 on the Sunday over that of the day before the crash, less 1.
with readings as (
    select * from signals.market_cap_daily
    where
        source = 'own_top100'
        and market_date in (date '2025-10-09', date '2025-11-16')
),

crash as (
    select count(*) as recovery_count
    from signals.market_event
    where
        start_date between date '2025-10-09' and date '2025-10-12'
        and recovered_date <= date '2025-11-16'
),

final as (
    select
        max(readings.total_market_cap_usd) filter (
            where readings.market_date = date '2025-11-16'
        )
        / max(readings.total_market_cap_usd) filter (
            where readings.market_date = date '2025-10-09'
        ) - 1 as actual_value,
        count(readings.total_market_cap_usd) as input_count,
        min(readings.market_date) as first_input_date,
        max(readings.market_date) as last_input_date,
        max(crash.recovery_count) = 0 as is_supported,
        cast(null as varchar) as caveat,
        printf(
            'From %.2f to %.2f tn dollars',
            max(readings.total_market_cap_usd) filter (
                where readings.market_date = date '2025-10-09'
            ) / 1e12,
            max(readings.total_market_cap_usd) filter (
                where readings.market_date = date '2025-11-16'
            ) / 1e12
        ) as evidence
    from crash
    left join readings on true
)

select * from final
