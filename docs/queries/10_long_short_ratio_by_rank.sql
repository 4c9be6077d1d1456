-- Grain: one row per market_date and first_rank.
-- The article's chart: do accounts lean further to the long side the smaller the coin?
-- Median account ratio by rank, and the slope over all of the day's coins with its 95 %
-- interval (below 0: the smaller, the longer).
with ratios as (
    select
        market_date,
        coin_id,
        long_short_account_ratio
    from signals.positioning_asset_daily
    where
        venue = 'pooled'
        and is_member
        and long_short_account_ratio is not null
    qualify market_date = max(market_date) over ()
),

ranked as (
    select
        ratios.market_date,
        ratios.coin_id,
        ratios.long_short_account_ratio,
        row_number() over (
            order by drawdowns.market_cap_usd desc, ratios.coin_id asc
        ) as cap_rank
    from ratios
    inner join signals.drawdown_asset_daily as drawdowns
        on
            ratios.market_date = drawdowns.market_date
            and ratios.coin_id = drawdowns.coin_id
)

select
    ranked.market_date,
    10 * ((ranked.cap_rank - 1) // 10) + 1 as first_rank,
    count(*) as coin_count,
    round(median(ranked.long_short_account_ratio), 3) as median_ratio,
    round(avg((ranked.long_short_account_ratio > 1)::double), 2) as above_1_fraction,
    round(any_value(tilts.tilt_slope_log), 3) as slope_of_day,
    round(any_value(tilts.tilt_slope_low_log), 3) as slope_low,
    round(any_value(tilts.tilt_slope_high_log), 3) as slope_high,
    any_value(tilts.state) as state
from ranked
left join signals.rank_tilt_daily as tilts on ranked.market_date = tilts.market_date
group by ranked.market_date, first_rank
order by first_rank
