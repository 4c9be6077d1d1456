-- Grain: one row per audit that this file did not pass.
-- Rules of the published figures that do not hold; a critical one keeps the old file.
select
    audit,
    severity,
    status,
    bad_count,
    sentence,
    example
from quality.audit_result
where
    status <> 'passed'
    and run_id = (select about.run_id from main.about as about)
order by severity, audit
