-- Grain: one row per market_date.
-- The middle yearly cost of a long over the last week, over the coins of the index.
select
    market_date,
    median(funding_7d_annual_fraction) as funding_7d_annual_fraction,
    count(funding_7d_annual_fraction) as observed_count
from signals.positioning_asset_daily
where venue = 'pooled' and is_member and funding_7d_annual_fraction is not null
group by market_date
order by market_date
