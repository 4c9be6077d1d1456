-- Grain: one row per market_date and coin_id.
-- What part of a coin changed hands in a day: traded value over cap, the median of the
-- vendors. It is capped at a fifth, because reported volume may be wash trading.
with observations as (
    select * from staging.market_observation
    where known_to is null and volume_24h_usd >= 0 and market_cap_usd > 0
),

returns as (
    select * from signals.coin_return_daily
),

cut_offs as (
    select 0.2 as max_turnover_fraction
),

reported as (
    select
        market_date,
        coin_id,
        median(volume_24h_usd) as volume_24h_usd,
        median(market_cap_usd) as market_cap_usd
    from observations
    group by market_date, coin_id
),

final as (
    select
        returns.market_date,
        returns.coin_id,
        returns.price_usd,
        reported.volume_24h_usd,
        reported.market_cap_usd,
        -- least() would take the cap where nothing was reported.
        case
            when reported.volume_24h_usd is not null
                then
                    least(
                        reported.volume_24h_usd / reported.market_cap_usd,
                        cut_offs.max_turnover_fraction
                    )
        end as turnover_fraction
    from returns
    cross join cut_offs
    left join reported
        on
            returns.market_date = reported.market_date
            and returns.coin_id = reported.coin_id
)

select * from final
