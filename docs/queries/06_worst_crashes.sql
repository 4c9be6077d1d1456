-- Grain: one row per event_id.
-- The heaviest daily falls of the whole market: what was lost, what venues say was
-- liquidated (a floor, not a total), and how long the way back took.
select
    event_id,
    start_date,
    trough_date,
    round(max_loss_1d_usd / 1e9, 1) as max_loss_1d_usd_bn,
    round(max_loss_1d_fraction, 4) as max_loss_1d_fraction,
    round(trough_fraction, 4) as trough_fraction,
    round(liquidation_floor_usd / 1e9, 2) as liquidation_floor_usd_bn,
    days_to_recover,
    state
from signals.market_event
where max_loss_1d_fraction < 0
order by max_loss_1d_fraction asc, event_id asc
limit 6
