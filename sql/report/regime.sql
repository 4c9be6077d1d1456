-- Grain: one row per etp_regime.
-- The spans before exchange-traded products, with Bitcoin's, and with Ether's too.
select
    etp_regime,
    min(market_date) as first_date,
    max(market_date) as last_date
from signals.regime_daily
where etp_regime <> 'unknown'
group by etp_regime
order by first_date
