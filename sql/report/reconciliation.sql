-- Grain: one row per fact_id.
-- Figures that others published of comparable indices, beside ours.
select
    fact_id,
    provider,
    profile,
    index_id,
    metric,
    from_date,
    to_date,
    published_value,
    our_value,
    difference,
    tolerance,
    verdict,
    source
from indices.reconciliation
order by fact_id
