-- Grain: one row.
-- Correlation across coins and days of the taker ratio, which is of volume, and the
-- account ratio; of one and the same figure it would be 1.
with readings as (
    select * from signals.positioning_asset_daily
    where
        venue = 'pooled'
        and market_date between date '2025-01-16' and date '2026-01-15'
        and long_short_account_ratio > 0
        and taker_buy_sell_ratio > 0
),

logs as (
    select
        market_date,
        ln(taker_buy_sell_ratio) as taker_log,
        ln(long_short_account_ratio) as account_log
    from readings
),

final as (
    select
        case
            when isfinite(corr(taker_log, account_log))
                then corr(taker_log, account_log)
        end as actual_value,
        count(*) as input_count,
        min(market_date) as first_input_date,
        max(market_date) as last_input_date,
        true as is_supported,
        cast(null as varchar) as caveat,
        printf('%d coins and days', count(*)) as evidence
    from logs
)

select * from final
