-- Grain: one row per exchange and token_symbol on the last day with flows.
-- What came to or left an exchange in a week, by token.
select
    market_date,
    exchange,
    token_symbol,
    token_kind,
    flow_7d_usd,
    flow_7d_fraction,
    flow_7d_robust_z,
    suspect_days,
    state
from signals.exchange_flow_asset_daily
where flow_7d_usd is not null
qualify market_date = max(market_date) over ()
order by abs(flow_7d_usd) desc, exchange asc, token_symbol asc
