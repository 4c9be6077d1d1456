-- Grain: one row per year_month.
-- Coins whose holders would, as we estimate, sell at a loss: an estimate from traded
-- volume, not an account of anyone's books.
select
    strftime(market_date, '%Y-%m') as year_month,
    max(market_date) as market_date,
    round(max_by(underwater_fraction, market_date), 3) as underwater_fraction,
    round(max_by(median_gain_fraction, market_date), 3) as median_gain_fraction,
    max_by(observed_count, market_date) as observed_count,
    max_by(state, market_date) as state
from signals.holder_stress_market_daily
where underwater_fraction is not null
group by year_month
order by year_month desc
limit 6
