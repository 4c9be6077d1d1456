-- Grain: one row per market_date and pair_id.
-- The day's return of one index less that of another, as logarithms, and which
-- exchange-traded products had been launched in the US by then.
with ratios as (
    select * from indices.index_pair_daily
    where profile = 'house' and ratio > 0
),

launches as (
    select
        coalesce(
            min(event_date) filter (where subject = 'bitcoin'), date '9999-12-31'
        ) as btc_date,
        coalesce(
            min(event_date) filter (where subject = 'ethereum'), date '9999-12-31'
        ) as eth_date
    from reference.event_calendar
    where event_kind = 'etp_launch'
),

followed as (
    select
        *,
        lag(market_date) over in_time as previous_date,
        lag(ratio) over in_time as previous_ratio
    from ratios
    window in_time as (partition by pair_id order by market_date)
),

final as (
    select
        followed.market_date,
        followed.pair_id,
        case
            when followed.market_date < launches.btc_date then 'pre_etp'
            when followed.market_date < launches.eth_date then 'btc_etp'
            else 'btc_eth_etp'
        end as etp_regime,
        ln(followed.ratio / followed.previous_ratio) as spread_1d_log
    from followed
    cross join launches
    where followed.market_date = followed.previous_date + 1
)

select * from final
