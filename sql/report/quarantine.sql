-- Grain: one row per market_date, dataset and rule_id of the last 30 days.
-- Rows that a rule kept out, and what became of them.
select
    market_date,
    dataset,
    rule_id,
    status,
    row_count,
    open_count,
    released_count,
    kept_out_fraction
from quality.quarantine_summary
where
    market_date
    >= (select about.market_date from main.about as about) - interval 30 days
order by market_date desc, dataset asc, rule_id asc
