-- Grain: one row per coin_id that is in the index on the last day with enough of them.
-- A coin's cap against its long over short accounts: the articles' chart.
with tilt as (
    select max(market_date) as market_date
    from signals.rank_tilt_daily
    where tilt_slope_log is not null
),

ratios as (
    select * from signals.positioning_asset_daily
),

seats as (
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
        ratios.market_date,
        ratios.coin_id,
        coins.name as coin_name,
        seats.index_id as segment,
        drawdowns.market_cap_usd,
        ratios.long_short_account_ratio,
        ratios.venue_count
    from ratios
    inner join tilt on ratios.market_date = tilt.market_date
    inner join seats
        on ratios.market_date = seats.market_date and ratios.coin_id = seats.coin_id
    inner join drawdowns
        on
            ratios.market_date = drawdowns.market_date
            and ratios.coin_id = drawdowns.coin_id
    left join coins on ratios.coin_id = coins.coin_id
    where
        ratios.venue = 'pooled'
        and ratios.ratio_kind = 'accounts'
        and seats.profile = 'house'
        and seats.index_id in ('large', 'mid', 'small')
        and ratios.coin_id <> 'bitcoin'
        and drawdowns.market_cap_usd > 0
        and ratios.long_short_account_ratio > 0
    order by drawdowns.market_cap_usd desc, ratios.coin_id asc
)

select * from final
