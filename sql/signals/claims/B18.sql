-- Grain: one row.
-- Share of the tokens 80 % or more below their high of which the exchange lost units
-- in the week to the article.
with flows as (
    select * from signals.exchange_flow_asset_daily
    where
        market_date = date '2026-01-15'
        and token_kind = 'coin'
        and flow_7d_units is not null
),

drawdowns as (
    select * from signals.drawdown_asset_daily
    where market_date = date '2026-01-15' and drawdown_fraction <= -0.8
),

final as (
    select
        avg(cast(flows.flow_7d_units < 0 as integer)) as actual_value,
        count(*) as input_count,
        min(flows.market_date) as first_input_date,
        max(flows.market_date) as last_input_date,
        count(*) >= 10 as is_supported,
        'One exchange''s wallets; who holds the tokens is not known' as caveat,
        printf(
            '%d of %d tokens left the exchange',
            count(*) filter (where flows.flow_7d_units < 0),
            count(*)
        ) as evidence
    from flows
    inner join drawdowns
        on
            flows.coin_id = drawdowns.coin_id
            and flows.market_date = drawdowns.market_date
)

select * from final
