-- Grain: one row per market_date, exchange and token_symbol.
-- What a token that an exchange holds is: a stablecoin, the exchange's own token, or a
-- coin; and which member of the house top 100, if its symbol and its price within 5 %
-- say so. A symbol alone is no identity: without such a member coin_id is null.
with balances as (
    select * from staging.exchange_balance_daily
    where balance_units > 0
),

own_tokens as (
    select * from reference.exchange_own_token
),

coins as (
    select * from staging.coin
),

members as (
    select * from signals.member_daily
    where index_id = 'top100' and is_fresh
),

classes as (
    select * from reference.asset_class
    where asset_class in ('fiat_stablecoin', 'synthetic_dollar')
),

-- How near to a member's price, and to some currency, a token's implied price must be.
cut_offs as (
    select
        0.05 as max_price_difference,
        0.5 as min_stable_usd,
        1.5 as max_stable_usd
),

stable_symbols as (
    select distinct upper(coins.symbol) as token_symbol
    from coins
    inner join classes on coins.coin_id = classes.coin_id
),

member_symbols as (
    select
        members.market_date,
        members.coin_id,
        members.price_usd,
        members.cap_rank,
        upper(coins.symbol) as token_symbol
    from members
    inner join coins on members.coin_id = coins.coin_id
),

matched as (
    select
        balances.market_date,
        balances.exchange,
        balances.token_symbol,
        member_symbols.coin_id
    from balances
    cross join cut_offs
    inner join member_symbols
        on
            balances.market_date = member_symbols.market_date
            and upper(balances.token_symbol) = member_symbols.token_symbol
            and abs(
                balances.balance_usd / balances.balance_units / member_symbols.price_usd
                - 1
            ) <= cut_offs.max_price_difference
    qualify row_number() over (
        partition by balances.market_date, balances.exchange, balances.token_symbol
        order by member_symbols.cap_rank
    ) = 1
),

final as (
    select
        balances.market_date,
        balances.exchange,
        balances.token_symbol,
        matched.coin_id,
        case
            when own_tokens.token_symbol is not null then 'own_token'
            when
                stable_symbols.token_symbol is not null
                and balances.balance_usd / balances.balance_units
                between cut_offs.min_stable_usd and cut_offs.max_stable_usd
                then 'stablecoin'
            else 'coin'
        end as token_kind
    from balances
    cross join cut_offs
    left join own_tokens
        on
            balances.exchange = own_tokens.exchange
            and upper(balances.token_symbol) = own_tokens.token_symbol
    left join stable_symbols
        on upper(balances.token_symbol) = stable_symbols.token_symbol
    left join matched
        on
            balances.market_date = matched.market_date
            and balances.exchange = matched.exchange
            and balances.token_symbol = matched.token_symbol
)

select * from final
