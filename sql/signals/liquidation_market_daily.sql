-- Grain: one row per market_date, venue and quality.
-- What was liquidated in a day. reported_floor is what venues report, which is less
-- than what was: Binance tells one liquidation a second and perpetual.
-- open_interest_proxy is what was closed for whatever reason, in its place where nobody
-- reports.
with liquidations as (
    select * from staging.liquidation_daily
),

open_interest as (
    select * from signals.open_interest_market_daily
),

cut_offs as (
    select
        365 as min_observations,
        99 as stress_pct
),

listed as (
    select
        market_date,
        venue,
        long_usd,
        short_usd
    from liquidations
    union all
    select
        market_date,
        'all' as venue,
        long_usd,
        short_usd
    from liquidations
),

-- Sums of decimals, which do not depend on their order.
reported as (
    select
        market_date,
        venue,
        'reported_floor' as quality,
        count(*) as perp_count,
        cast(sum(cast(long_usd as decimal(38, 6))) as double) as long_usd,
        cast(sum(cast(short_usd as decimal(38, 6))) as double) as short_usd,
        cast(
            sum(
                cast(coalesce(long_usd, 0) as decimal(38, 6))
                + cast(coalesce(short_usd, 0) as decimal(38, 6))
            ) as double
        ) as total_usd
    from listed
    group by market_date, venue
),

measured as (
    select
        market_date,
        venue,
        quality,
        perp_count,
        long_usd,
        short_usd,
        total_usd
    from reported
    union all
    select
        market_date,
        venue,
        'open_interest_proxy' as quality,
        perp_count,
        cast(null as double) as long_usd,
        cast(null as double) as short_usd,
        closed_usd as total_usd
    from open_interest
    where closed_usd is not null
),

ranked as (
    select
        measured.*,
        count(*) over past as observation_count,
        case
            when count(*) over past >= cut_offs.min_observations
                then
                    100.0 * (rank(order by measured.total_usd) over past - 1)
                    / (count(*) over past - 1)
        end as percentile_pct,
        cut_offs.stress_pct
    from measured
    cross join cut_offs
    window
        past as (
            partition by measured.venue, measured.quality
            order by measured.market_date
            range between interval 1459 days preceding and current row
        )
),

final as (
    select
        ranked.market_date,
        ranked.venue,
        ranked.quality,
        ranked.long_usd,
        ranked.short_usd,
        ranked.total_usd,
        ranked.long_usd
        / nullif(ranked.long_usd + ranked.short_usd, 0) as long_share_fraction,
        ranked.total_usd
        / nullif(open_interest.open_interest_usd, 0) as open_interest_share_fraction,
        ranked.percentile_pct,
        ranked.observation_count,
        ranked.perp_count,
        case
            when ranked.percentile_pct is null then 'insufficient'
            when ranked.percentile_pct >= ranked.stress_pct then 'stress'
            else 'normal'
        end as state
    from ranked
    left join open_interest
        on
            ranked.market_date = open_interest.market_date
            and ranked.venue = open_interest.venue
)

select * from final
