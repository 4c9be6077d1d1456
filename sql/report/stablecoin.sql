-- Grain: one row per market_date.
-- Share of stablecoins in the worth of the market.
select
    market_date,
    stablecoin_share_fraction,
    total_market_cap_usd,
    stablecoin_share_fraction * total_market_cap_usd as stablecoin_supply_usd
from signals.market_cap_daily
where stablecoin_share_fraction is not null and source = 'own_top100'
order by market_date
