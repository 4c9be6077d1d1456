-- Grain: one row per claim_id.
-- What the press claimed, what the tables find, and the verdict.
select
    claim_id,
    claim_date,
    kind,
    wording,
    reading,
    verdict,
    evidence,
    caveat,
    evidence_tables,
    evaluated_for_date,
    resolves_on,
    source
from signals.claim_check
order by claim_id
