-- Grain: one row.
-- Share of the coins but Bitcoin that are 80 to 90 % below their highest close.
with readings as (
    select * from signals.drawdown_market_daily
    where
        index_id = 'top100_ex_btc'
        and market_date = date '2026-01-15'
),

final as (
    select
        max(down_80_90_fraction) as actual_value,
        count(down_80_90_fraction) as input_count,
        min(market_date) as first_input_date,
        max(market_date) as last_input_date,
        coalesce(max(median_drawdown_fraction) <= -0.7, false) as is_supported,
        'Of the coins of our top 100; highs before our history are not seen' as caveat,
        printf(
            '%.1f %% down 80 to 90 %%, %.1f %% down more; median %.0f %%',
            100 * max(down_80_90_fraction),
            100 * max(down_90_100_fraction),
            100 * max(median_drawdown_fraction)
        ) as evidence
    from readings
)

select * from final
