-- Grain: one row per market_date, exchange and token_symbol.
-- What an exchange's published wallets hold of a token: the latest word of the day. A
-- later word replaces an earlier one, but history loaded later never replaces what we
-- saw ourselves.
with exchange_balance_daily as (
    select * from raw.exchange_balance_daily
),

latest as (
    select *
    from exchange_balance_daily
    qualify row_number() over (
        partition by market_date, exchange, token_symbol
        order by vintage = 'reconstructed' asc, known_at desc, source asc, run_id asc
    ) = 1
),

final as (
    select
        market_date,
        exchange,
        token_symbol,
        balance_units,
        balance_usd,
        vintage = 'reconstructed' as is_reconstructed,
        -- History counts as known at the end of the day that it describes.
        case
            when vintage = 'reconstructed'
                then cast(market_date as timestamptz) + interval 1 day
            else known_at
        end as known_at,
        source,
        run_id
    from latest
)

select * from final
