-- Grain: one row.
-- First reading: the whole of what was a gain of some 30 % in the year is gone.
with readings as (
    select * from signals.bitcoin_daily
    where
        market_date = date '2025-11-16'
),

final as (
    select
        max(giveback_fraction) as actual_value,
        count(giveback_fraction) as input_count,
        min(market_date) as first_input_date,
        max(market_date) as last_input_date,
        true as is_supported,
        cast(null as varchar) as caveat,
        printf(
            'In the year so far %+.1f %%, at its high %+.1f %%: %.2f of the gain gone',
            100 * max(return_ytd_fraction),
            100 * max(return_ytd_high_fraction),
            max(giveback_fraction)
        ) as evidence
    from readings
)

select * from final
