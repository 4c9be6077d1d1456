-- Grain: one row.
-- Liquidations that venues reported for the two UTC days of the crash; venues report
-- less than what was, so 30 % of the press's figure is enough.
with readings as (
    select * from signals.liquidation_market_daily
    where
        venue = 'all'
        and quality = 'reported_floor'
        and market_date <= date '2025-11-16'
        and total_usd is not null
),

final as (
    select
        sum(total_usd) filter (
            where market_date between date '2025-10-10' and date '2025-10-11'
        ) as actual_value,
        count(*) filter (
            where market_date between date '2025-10-10' and date '2025-10-11'
        ) as input_count,
        min(market_date) as first_input_date,
        max(market_date) as last_input_date,
        coalesce(
            max_by(market_date, total_usd)
            between date '2025-10-10' and date '2025-10-11',
            false
        ) as is_supported,
        'A floor: venues report a part of what is liquidated' as caveat,
        printf(
            'Reported in two days: %.2f bn dollars; largest day of the history %s',
            sum(total_usd) filter (
                where market_date between date '2025-10-10' and date '2025-10-11'
            ) / 1e9,
            cast(max_by(market_date, total_usd) as varchar)
        ) as evidence
    from readings
)

select * from final
