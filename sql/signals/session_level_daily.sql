-- Grain: one row per session_date and series_id.
-- Equity closes and crypto levels on the same New York sessions. The crypto level is
-- that of the UTC day's end, three to four hours after the equity close.
with closes as (
    select * from staging.equity_close_daily
    where ticker_kind in ('index', 'proxy')
),

pairs as (
    select * from reference.cross_market_pair
),

levels as (
    select * from indices.index_level_daily
    where profile = 'house' and level > 0
),

sessions as (
    select distinct session_date from closes
),

equity as (
    select
        session_date,
        ticker as series_id,
        'equity' as series_kind,
        ticker_kind = 'proxy' as is_proxy,
        close_points as level
    from closes
    where ticker in (select pairs.equity_series_id from pairs)
),

crypto as (
    select
        sessions.session_date,
        levels.index_id as series_id,
        'crypto' as series_kind,
        false as is_proxy,
        levels.level
    from levels
    inner join sessions on levels.market_date = sessions.session_date
    where levels.index_id in (select pairs.crypto_series_id from pairs)
),

final as (
    select * from equity
    union all
    select * from crypto
)

select * from final
