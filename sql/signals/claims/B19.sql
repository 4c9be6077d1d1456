-- Grain: one row.
-- Our count of the altcoin season of 90 days against what CoinMarketCap published.
with readings as (
    select * from signals.altcoin_season_daily
    where
        variant_id = 'top100_90d'
        and market_date = date '2026-01-15'
),

final as (
    select
        max(altcoin_season_score) as actual_value,
        count(altcoin_season_score) as input_count,
        min(market_date) as first_input_date,
        max(market_date) as last_input_date,
        true as is_supported,
        cast(null as varchar) as caveat,
        printf(
            'Ours %.1f of %d coins, state %s',
            max(altcoin_season_score),
            max(observed_count),
            max(state)
        ) as evidence
    from readings
)

select * from final
