-- Grain: one row.
-- Fear and greed as published on the eve of the article, and 30 days before: a mood
-- that improves has to have been worse.
with readings as (
    select * from signals.external_sentiment_daily
    where
        source = 'alternative_me'
        and market_date in (date '2025-12-16', date '2026-01-15')
        and stale_days = 0
),

compared as (
    select
        max(score) filter (where market_date = date '2026-01-15') as score,
        max(label) filter (where market_date = date '2026-01-15') as label,
        max(score) filter (where market_date = date '2025-12-16') as score_before,
        count(score) filter (where market_date = date '2026-01-15') as input_count,
        min(market_date) as first_input_date,
        max(market_date) as last_input_date
    from readings
),

final as (
    select
        score as actual_value,
        input_count,
        first_input_date,
        last_input_date,
        coalesce(score > score_before, false) as is_supported,
        cast(null as varchar) as caveat,
        printf('Score %.0f, %s; %.0f 30 days before', score, label, score_before)
            as evidence
    from compared
)

select * from final
