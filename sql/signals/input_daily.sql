-- Grain: one row per market_date and input_id.
-- How fresh each kind of input was on a day: the last day of the market for which it
-- had been observed, how old that is, and when the last of it was learned.
with inputs as (
    select * from reference.signal_input
),

calendar as (
    select * from staging.market_calendar
),

-- The next night has the close of a session that was not seen on its own.
equity_closes as (
    select
        *,
        cast(session_date as timestamptz) + interval 1 day as known_at
    from staging.equity_close_daily
),

observations as (
    select
        'price' as input_id,
        market_date,
        known_at,
        is_reconstructed
    from staging.coin_price_daily
    union all
    select
        'sentiment' as input_id,
        market_date,
        known_at,
        is_reconstructed
    from staging.sentiment_daily
    where source <> 'cmc_altcoin_season'
    union all
    select
        'stablecoin' as input_id,
        market_date,
        known_at,
        is_reconstructed
    from staging.stablecoin_daily
    union all
    select
        'global' as input_id,
        market_date,
        known_at,
        is_reconstructed
    from staging.global_daily
    union all
    select
        'positioning' as input_id,
        market_date,
        known_at,
        is_reconstructed
    from staging.positioning_daily
    union all
    select
        'open_interest' as input_id,
        market_date,
        known_at,
        is_reconstructed
    from staging.open_interest_daily
    union all
    select
        'funding' as input_id,
        market_date,
        known_at,
        is_reconstructed
    from staging.funding_daily
    union all
    select
        'liquidation' as input_id,
        market_date,
        known_at,
        is_reconstructed
    from staging.liquidation_daily
    union all
    select
        'exchange_balance' as input_id,
        market_date,
        known_at,
        is_reconstructed
    from staging.exchange_balance_daily
    union all
    select
        'onchain' as input_id,
        market_date,
        known_at,
        is_reconstructed
    from staging.onchain_daily
    union all
    select
        case when ticker_kind = 'volatility' then 'vix' else 'equity' end as input_id,
        session_date as market_date,
        known_at,
        is_reconstructed
    from equity_closes
),

observed as (
    select
        input_id,
        market_date,
        max(known_at) as known_at,
        bool_or(is_reconstructed) as is_reconstructed
    from observations
    group by input_id, market_date
),

dated as (
    select
        calendar.market_date,
        inputs.input_id,
        inputs.grace_days,
        inputs.ttl_days,
        max(observed.market_date) over (
            partition by inputs.input_id order by calendar.market_date
        ) as observed_date
    from calendar
    cross join inputs
    left join observed
        on
            calendar.market_date = observed.market_date
            and inputs.input_id = observed.input_id
),

final as (
    select
        dated.market_date,
        dated.input_id,
        dated.observed_date,
        dated.market_date - dated.observed_date as lag_days,
        case
            when dated.observed_date is null then 0.0
            else
                greatest(
                    1 - greatest(
                        dated.market_date - dated.observed_date - dated.grace_days, 0
                    ) / dated.ttl_days,
                    0
                )
        end as freshness_fraction,
        coalesce(observed.is_reconstructed, false) as is_reconstructed,
        observed.known_at
    from dated
    left join observed
        on
            dated.observed_date = observed.market_date
            and dated.input_id = observed.input_id
)

select * from final
