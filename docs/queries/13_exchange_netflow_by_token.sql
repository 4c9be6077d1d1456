-- Grain: one row per token_symbol and exchange.
-- Which tokens came to exchanges in the last week (above 0, to be sold perhaps), and
-- which left, by share of the exchange's balance. Without stablecoins and exchanges'
-- own tokens.
select
    market_date,
    exchange,
    token_symbol,
    coin_id,
    round(flow_7d_usd / 1e6, 2) as flow_7d_usd_mn,
    round(flow_7d_fraction, 4) as flow_7d_fraction,
    round(flow_7d_robust_z, 2) as flow_7d_robust_z,
    state
from signals.exchange_flow_asset_daily
where token_kind = 'coin' and flow_7d_usd is not null
qualify market_date = max(market_date) over ()
order by abs(flow_7d_fraction) desc, token_symbol asc
limit 8
