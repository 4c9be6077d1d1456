-- Grain: one row per rule that did not pass on the gate's last day with results.
-- What the gate found.
select
    market_date,
    dataset,
    source,
    rule_id,
    severity,
    status,
    bad_count,
    total_count,
    sentence
from quality.check_result
where status <> 'passed'
qualify market_date = max(market_date) over ()
order by severity, dataset, rule_id, source
