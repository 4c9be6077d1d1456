-- Grain: one row per dataset and source.
-- The newest day of each source, and the one that should be there.
select
    dataset,
    source,
    is_due,
    newest_date,
    expected_date,
    age_days,
    state,
    row_7d_count,
    signal_ids
from quality.freshness
order by dataset, source
