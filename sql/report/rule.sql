-- Grain: one row per rule in force for the house profile on the last day.
-- The rulebook.
select
    rule,
    value,
    effective_from,
    version
from reference.rulebook
where
    profile = 'house'
    and (
        effective_from is null
        or effective_from <= (select about.market_date from main.about as about)
    )
    and (
        effective_to is null
        or effective_to > (select about.market_date from main.about as about)
    )
order by rule
