-- Grain: one row per signal_id and entity, of its last day.
-- The newest reading of each signal, with what it rests on.
select
    market_date,
    signal_id,
    entity,
    value,
    unit,
    percentile_pct,
    robust_z,
    state,
    observation_count,
    coverage_fraction,
    freshness_fraction,
    confidence_score,
    confidence_label
from signals.signal_daily
qualify market_date = max(market_date) over (partition by signal_id, entity)
order by signal_id, entity
