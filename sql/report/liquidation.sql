-- Grain: one row per market_date and quality.
-- Forced closings: what venues reported, a floor, or what open interest lost.
select
    market_date,
    quality,
    long_usd,
    short_usd,
    total_usd,
    perp_count
from signals.liquidation_market_daily
where venue = 'all' and total_usd is not null
order by market_date, quality
