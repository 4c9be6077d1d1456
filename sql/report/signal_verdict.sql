-- Grain: one row per signal_id and verdict.
-- How many tests of a signal ended how.
select
    signal_id,
    verdict,
    count(*) as test_count
from signals.signal_quality
group by signal_id, verdict
order by signal_id, verdict
