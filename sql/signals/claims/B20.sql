-- Grain: one row.
-- How many of the two tokens with known wallets left the exchange in the week to the
-- article.
with readings as (
    select * from signals.exchange_flow_asset_daily
    where
        exchange = 'binance'
        and token_symbol in ('ENJ', 'LINK')
        and market_date = date '2026-01-15'
        and flow_7d_units is not null
),

final as (
    select
        case
            when count(*) = 2
                then cast(count(*) filter (where flow_7d_units < 0) as double)
        end as actual_value,
        count(*) as input_count,
        min(market_date) as first_input_date,
        max(market_date) as last_input_date,
        true as is_supported,
        cast(null as varchar) as caveat,
        string_agg(
            printf('%s %+.0f units', token_symbol, flow_7d_units), ', '
            order by token_symbol
        ) as evidence
    from readings
)

select * from final
