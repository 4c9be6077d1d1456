-- Grain: one row per market_date.
-- Open interest of the venues that we see, in US dollars.
select
    market_date,
    open_interest_usd,
    change_1d_fraction,
    perp_count
from signals.open_interest_market_daily
where venue = 'all' and open_interest_usd is not null
order by market_date
