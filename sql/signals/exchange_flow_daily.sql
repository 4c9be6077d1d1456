-- Grain: one row per market_date, exchange and token_symbol.
-- What came to an exchange's published wallets in a day, in units, so that no price
-- makes a flow. A jump beyond 15 % of the balance to which the price did not answer is
-- a wallet that was added or taken off: suspect, and no flow. Nor are a token's first
-- two days.
with balances as (
    select * from staging.exchange_balance_daily
    where balance_units > 0
),

cut_offs as (
    select
        0.15 as jump_fraction,
        0.1 as price_response_fraction,
        2 as new_token_days
),

followed as (
    select
        market_date,
        exchange,
        token_symbol,
        balance_units,
        balance_usd / balance_units as price_usd,
        row_number() over in_time as day_number,
        case
            when market_date - 1 = lag(market_date) over in_time
                then balance_units - lag(balance_units) over in_time
        end as change_units,
        lag(balance_units) over in_time as previous_units,
        balance_usd / balance_units
        / nullif(lag(balance_usd / balance_units) over in_time, 0)
        - 1 as price_change_fraction,
        is_reconstructed
    from balances
    window in_time as (partition by exchange, token_symbol order by market_date)
),

tested as (
    select
        followed.*,
        followed.day_number > cut_offs.new_token_days as is_settled,
        coalesce(
            abs(followed.change_units)
            > cut_offs.jump_fraction * followed.previous_units,
            false
        )
        and not coalesce(
            abs(followed.price_change_fraction) >= cut_offs.price_response_fraction,
            false
        ) as is_suspect
    from followed
    cross join cut_offs
),

final as (
    select
        market_date,
        exchange,
        token_symbol,
        balance_units,
        price_usd,
        case when is_settled and not is_suspect then change_units end as flow_1d_units,
        is_suspect,
        is_reconstructed
    from tested
)

select * from final
