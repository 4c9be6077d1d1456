-- Grain: one row per crash of the market.
-- Days on which the market broke down, by what they cost.
select
    event_id,
    start_date,
    trough_date,
    recovered_date,
    value_before_usd,
    max_loss_1d_fraction,
    max_loss_1d_usd,
    trough_fraction,
    trough_loss_usd,
    days_to_recover,
    severity_rank,
    state
from signals.market_event
order by start_date desc
