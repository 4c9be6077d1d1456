-- Grain: one row.
-- Share of coins that beat Bitcoin over 90 days since January 2024, and how far apart
-- coins go since then against before: median against median, as a few wild months of
-- 2021 make the mean.
with readings as (
    select * from signals.breadth_daily
    where index_id = 'top100' and market_date <= date '2025-11-16'
),

regimes as (
    select
        *,
        market_date >= date '2024-01-11' as is_post
    from readings
),

final as (
    select
        avg(beating_btc_90d_fraction) filter (where is_post) as actual_value,
        count(beating_btc_90d_fraction) filter (where is_post) as input_count,
        min(market_date) filter (where is_post) as first_input_date,
        max(market_date) filter (where is_post) as last_input_date,
        coalesce(
            median(dispersion_30d_fraction) filter (where is_post)
            > median(dispersion_30d_fraction) filter (where not is_post),
            false
        ) as is_supported,
        cast(null as varchar) as caveat,
        printf(
            'On average %.0f %% beat Bitcoin; dispersion %.3f after, %.3f before',
            100 * avg(beating_btc_90d_fraction) filter (where is_post),
            median(dispersion_30d_fraction) filter (where is_post),
            median(dispersion_30d_fraction) filter (where not is_post)
        ) as evidence
    from regimes
)

select * from final
