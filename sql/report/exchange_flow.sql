-- Grain: one row per market_date and exchange.
-- What came to or left an exchange in a week, stablecoins and its own token apart.
select
    market_date,
    exchange,
    net_flow_7d_usd,
    stablecoin_flow_7d_usd,
    coverage_fraction,
    suspect_count,
    state
from signals.exchange_flow_market_daily
where net_flow_7d_usd is not null
order by market_date, exchange
