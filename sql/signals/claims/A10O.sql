-- Grain: one row.
-- Literal reading: the crash itself took a trillion dollars within a day or two.
with readings as (
    select * from signals.market_event
    where
        start_date between date '2025-10-09' and date '2025-10-12'
),

final as (
    select
        max(max_loss_2d_usd) as actual_value,
        count(max_loss_2d_usd) as input_count,
        min(start_date) as first_input_date,
        max(start_date) as last_input_date,
        true as is_supported,
        cast(null as varchar) as caveat,
        printf(
            'Worst day %.0f bn dollars (%.1f %%), worst two days %.0f bn',
            max(max_loss_1d_usd) / 1e9,
            100 * min(max_loss_1d_fraction),
            max(max_loss_2d_usd) / 1e9
        ) as evidence
    from readings
)

select * from final
