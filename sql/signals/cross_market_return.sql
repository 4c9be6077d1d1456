-- Grain: one row per session_date and pair_id.
-- What an equity series and a crypto index returned between the closes of two sessions
-- that both have; a weekend's crypto return belongs to the session after it.
with pairs as (
    select * from reference.cross_market_pair
),

levels as (
    select * from signals.session_level_daily
),

paired as (
    select
        pairs.pair_id,
        pairs.equity_series_id,
        pairs.crypto_series_id,
        equity.is_proxy,
        equity.session_date,
        equity.level as equity_level,
        crypto.level as crypto_level,
        lag(equity.session_date) over in_time as previous_session_date,
        lag(equity.level) over in_time as previous_equity_level,
        lag(crypto.level) over in_time as previous_crypto_level
    from pairs
    inner join levels as equity on pairs.equity_series_id = equity.series_id
    inner join levels as crypto
        on
            pairs.crypto_series_id = crypto.series_id
            and equity.session_date = crypto.session_date
    window in_time as (partition by pairs.pair_id order by equity.session_date)
),

final as (
    select
        session_date,
        pair_id,
        equity_series_id,
        crypto_series_id,
        is_proxy,
        previous_session_date,
        equity_level / previous_equity_level - 1 as equity_return_fraction,
        crypto_level / previous_crypto_level - 1 as crypto_return_fraction
    from paired
    where previous_session_date is not null
)

select * from final
