-- Grain: one row per session_date and ticker.
-- The close of every session of every ticker, from one source: the first that has it of
-- Cboe, Yahoo, FRED and then any other by name. What the others say stands beside it as
-- the widest disagreement. A later word for the same session replaces the earlier one,
-- but history loaded later never replaces what we saw ourselves.
with equity_daily as (
    select * from raw.equity_daily
),

equity_tickers as (
    select * from reference.equity_ticker
),

source_order as (
    select
        'cboe' as source,
        1 as place
    union all
    select
        'yahoo' as source,
        2 as place
    union all
    select
        'fred' as source,
        3 as place
),

latest as (
    select
        session_date,
        ticker,
        source,
        close_points,
        vintage = 'reconstructed' as is_reconstructed,
        run_id
    from equity_daily
    qualify row_number() over (
        partition by session_date, ticker, source
        order by
            vintage = 'reconstructed' asc, known_at desc, run_id asc, close_points asc
    ) = 1
),

known as (
    select * from latest
    where close_points > 0
),

final as (
    select
        known.session_date,
        known.ticker,
        coalesce(equity_tickers.ticker_kind, 'other') as ticker_kind,
        known.close_points,
        known.source,
        count(*) over same_session as source_count,
        max(known.close_points) over same_session
        / min(known.close_points) over same_session - 1 as source_disagreement_fraction,
        known.is_reconstructed,
        known.run_id
    from known
    left join equity_tickers on known.ticker = equity_tickers.ticker
    left join source_order on known.source = source_order.source
    window same_session as (partition by known.session_date, known.ticker)
    qualify row_number() over (
        partition by known.session_date, known.ticker
        order by coalesce(source_order.place, 99), known.source
    ) = 1
)

select * from final
