-- Grain: one row per market_date.
-- Share of the top 100's coins whose holders are, as we estimate, under water.
select
    market_date,
    underwater_fraction,
    median_gain_fraction,
    observed_count,
    constituent_count,
    state
from signals.holder_stress_market_daily
where underwater_fraction is not null
order by market_date
