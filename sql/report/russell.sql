-- Grain: one row per market_date and series_id.
-- The Russell 2000, or the fund that stands for it, and the top 100 without Bitcoin.
with levels as (
    select * from indices.index_statistic_daily
),

equities as (
    select * from signals.equity_index_daily
),

final as (
    select
        market_date,
        'top100_ex_btc' as series_id,
        level
    from levels
    where profile = 'house' and index_id = 'top100_ex_btc'
    union all
    select
        session_date as market_date,
        ticker as series_id,
        close_points as level
    from equities
    where
        ticker in ('RUT', 'IWM')
        and session_date >= (select min(levels.market_date) from levels)
    order by market_date, series_id
)

select * from final
