-- Grain: one row per signal_id, entity and week, of its last day with a value.
-- The daily signals, a value a week.
select
    market_date,
    signal_id,
    entity,
    value,
    percentile_pct,
    state,
    confidence_score
from signals.signal_daily
where value is not null
qualify
    market_date = max(market_date) over (
        partition by signal_id, entity, date_trunc('week', market_date)
    )
order by signal_id, entity, market_date
