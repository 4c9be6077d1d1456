-- Grain: one row per calendar_year.
-- How much of the year's best gain did Bitcoin still have at the year's last close, and
-- on which day after its best close was all of it gone?
with days as (
    select
        year(market_date) as calendar_year,
        market_date,
        return_ytd_fraction,
        drawdown_fraction,
        max_by(market_date, return_ytd_fraction) over (
            partition by year(market_date)
        ) as best_date
    from signals.bitcoin_daily
    where return_ytd_fraction is not null
)

select
    calendar_year,
    any_value(best_date) as best_date,
    round(max(return_ytd_fraction), 4) as best_gain_fraction,
    min(market_date) filter (
        where market_date > best_date and return_ytd_fraction <= 0
    ) as erased_date,
    max(market_date) as market_date,
    round(max_by(return_ytd_fraction, market_date), 4) as gain_left_fraction,
    round(min(drawdown_fraction), 4) as worst_drawdown_fraction
from days
group by calendar_year
order by calendar_year desc
