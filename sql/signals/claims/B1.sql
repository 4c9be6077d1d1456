-- Grain: one row.
-- Highest worth of the market from the article to the end of the quarter over the
-- highest until then.
with readings as (
    select * from signals.market_cap_daily
    where source = 'own_top100' and market_date <= date '2026-03-31'
),

final as (
    select
        max(total_market_cap_usd) filter (where market_date >= date '2026-01-16')
        / max(total_market_cap_usd) filter (where market_date < date '2026-01-16')
            as actual_value,
        count(*) filter (where market_date >= date '2026-01-16') as input_count,
        min(market_date) filter (where market_date >= date '2026-01-16')
            as first_input_date,
        max(market_date) as last_input_date,
        true as is_supported,
        'Our sum of a hundred coins, without stablecoins' as caveat,
        printf(
            'Highest close of the quarter since the article %.2f tn dollars on %s, '
            || 'record %.2f tn; last %.2f tn',
            max(total_market_cap_usd) filter (where market_date >= date '2026-01-16')
            / 1e12,
            cast(
                max_by(market_date, total_market_cap_usd) filter (
                    where market_date >= date '2026-01-16'
                ) as varchar
            ),
            max(total_market_cap_usd) filter (where market_date < date '2026-01-16')
            / 1e12,
            max_by(total_market_cap_usd, market_date) / 1e12
        ) as evidence
    from readings
)

select * from final
