-- Grain: one row per signal_id.
-- What each signal is.
select
    signal_id,
    slug,
    title,
    table_name,
    value_column,
    entity_kind,
    unit,
    orientation,
    is_daily,
    window_days,
    minimum_observations,
    full_observations,
    required_inputs,
    thresholds,
    version
from reference.signal_definition
order by signal_id
