-- Grain: one row per coin_id that is in a segment on the last day.
-- How far each coin is below its high so far.
with seats as (
    select * from indices.constituent_daily
),

drawdowns as (
    select * from signals.drawdown_asset_daily
),

coins as (
    select * from staging.coin
),

final as (
    select
        seats.market_date,
        seats.index_id,
        seats.coin_id,
        coins.name as coin_name,
        drawdowns.drawdown_fraction,
        drawdowns.market_cap_usd,
        drawdowns.high_date
    from seats
    inner join drawdowns
        on
            seats.market_date = drawdowns.market_date
            and seats.coin_id = drawdowns.coin_id
    left join coins on seats.coin_id = coins.coin_id
    where
        seats.profile = 'house'
        and seats.index_id in ('large', 'mid', 'small')
        and seats.market_date = (select max(s.market_date) from seats as s)
        and drawdowns.drawdown_fraction is not null
    order by drawdowns.drawdown_fraction, seats.coin_id
)

select * from final
