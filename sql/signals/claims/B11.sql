-- Grain: one row.
-- Share of the coins with more long than short accounts.
with readings as (
    select * from signals.positioning_market_daily
    where
        index_id = 'top100_ex_btc'
        and market_date = date '2026-01-15'
),

final as (
    select
        max(above_1_fraction) as actual_value,
        count(above_1_fraction) as input_count,
        min(market_date) as first_input_date,
        max(market_date) as last_input_date,
        true as is_supported,
        'Accounts, each counted once, and no money' as caveat,
        printf(
            '%.0f %% of %d coins; median ratio %.2f',
            100 * max(above_1_fraction),
            max(observed_count),
            max(median_ratio)
        ) as evidence
    from readings
)

select * from final
