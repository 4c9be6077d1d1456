-- Grain: one row per index_id and effective_date of the house profile.
-- What each monthly review changed, or why it was not held.
select
    effective_date,
    index_id,
    cutoff_date,
    weighting_date,
    status,
    constituent_count,
    addition_count,
    removal_count,
    turnover_fraction,
    additions,
    removals,
    eligible_count,
    unclassified_coin_ids
from indices.review
where profile = 'house'
order by index_id asc, effective_date desc
