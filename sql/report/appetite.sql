-- Grain: one row per market_date.
-- Appetite for risk from 0 to 100, its range without one pillar, and its five pillars.
select
    market_date,
    composite_score,
    composite_low_score,
    composite_high_score,
    relative_strength_score,
    positioning_score,
    stress_score,
    cross_asset_score,
    external_score,
    pillar_count,
    missing_components,
    state
from signals.sentiment_composite_daily
order by market_date
