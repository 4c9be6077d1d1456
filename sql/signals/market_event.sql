-- Grain: one row per event_id.
-- What every crash of the house top 100 cost, and when the market was back at the close
-- before. Amounts are moves of one basket: the change of the level times the worth
-- before the crash. A crash may straddle midnight, so two days together stand beside
-- one. Later days fill in trough and recovery; the trough is looked for until 30 days
-- after the end.
with spans as (
    select * from signals.market_event_span
),

levels as (
    select * from indices.index_level_daily
    where profile = 'house' and index_id = 'top100'
),

liquidations as (
    select * from signals.liquidation_market_daily
    where venue = 'all' and quality = 'reported_floor'
),

cut_offs as (
    select
        30 as trough_days,
        99.5 as liquidation_pct
),

moves as (
    select
        market_date,
        level,
        level / nullif(lag(level) over in_time, 0) - 1 as return_1d_fraction,
        level / nullif(lag(level, 2) over in_time, 0) - 1 as return_2d_fraction
    from levels
    window in_time as (order by market_date)
),

followed as (
    select
        spans.event_id,
        moves.*,
        moves.market_date <= spans.last_trigger_date as is_triggered_span,
        moves.market_date <= spans.last_trigger_date + 1 as is_day_after,
        row_number() over (
            partition by spans.event_id order by moves.level asc, moves.market_date asc
        ) as depth_rank
    from spans
    cross join cut_offs
    inner join moves
        on
            moves.market_date between spans.start_date
            and least(
                spans.last_trigger_date + cut_offs.trough_days,
                coalesce(spans.recovered_date, date '9999-12-31')
            )
),

depths as (
    select
        event_id,
        max(market_date) filter (where depth_rank = 1) as trough_date,
        min(level) as trough_level,
        min(return_1d_fraction) filter (where is_triggered_span)
            as worst_1d_fraction,
        min(return_2d_fraction) filter (where is_day_after) as worst_2d_fraction
    from followed
    group by event_id
),

liquidated as (
    select
        spans.event_id,
        cast(sum(cast(liquidations.total_usd as decimal(38, 6))) as double)
            as liquidation_floor_usd
    from spans
    inner join liquidations
        on
            liquidations.market_date between spans.start_date
            and spans.last_trigger_date + 1
    group by spans.event_id
),

final as (
    select
        spans.event_id,
        spans.start_date,
        spans.last_trigger_date,
        depths.trough_date,
        spans.recovered_date,
        spans.triggered_day_count,
        spans.value_before_usd,
        depths.worst_1d_fraction as max_loss_1d_fraction,
        -depths.worst_1d_fraction * spans.value_before_usd as max_loss_1d_usd,
        -depths.worst_2d_fraction * spans.value_before_usd as max_loss_2d_usd,
        depths.trough_level / spans.level_before - 1 as trough_fraction,
        (1 - depths.trough_level / spans.level_before)
        * spans.value_before_usd as trough_loss_usd,
        liquidated.liquidation_floor_usd,
        -- One point for any event, one each for falls of 8, 12 and 20 % in two days,
        -- one for liquidations at the top of their history.
        1 + cast(coalesce(depths.worst_2d_fraction <= -0.08, false) as bigint)
        + cast(coalesce(depths.worst_2d_fraction <= -0.12, false) as bigint)
        + cast(coalesce(depths.worst_2d_fraction <= -0.2, false) as bigint)
        + cast(
            coalesce(
                spans.liquidation_percentile_pct >= cut_offs.liquidation_pct, false
            ) as bigint
        ) as severity_rank,
        spans.recovered_date - spans.start_date as days_to_recover,
        case
            when spans.recovered_date is null then 'open'
            else 'recovered'
        end as state
    from spans
    cross join cut_offs
    inner join depths on spans.event_id = depths.event_id
    left join liquidated on spans.event_id = liquidated.event_id
)

select * from final
