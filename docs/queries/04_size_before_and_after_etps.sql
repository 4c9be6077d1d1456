-- Grain: one row per regime.
-- Did small coins do worse against large ones once exchange-traded products were there?
-- The daily spread in each period, and whether its difference from the first is more
-- than chance.
select
    regime,
    observation_count as day_count,
    round(365 * mean_spread_1d_log, 3) as mean_spread_annual_log,
    round(365 * difference_from_pre_log, 3) as difference_annual_log,
    round(difference_hac_p_value, 3) as p_value,
    state
from signals.regime_statistic
where pair_id = 'small_over_large'
qualify as_of_date = max(as_of_date) over ()
order by regime
