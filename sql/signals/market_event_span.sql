-- Grain: one row per event_id.
-- From when to when a crash lasted: triggered days at most a week apart are one event.
-- The close before it is what the market has to get back to; the first close there ends
-- it.
with triggers as (
    select * from signals.crash_trigger_daily
),

levels as (
    select * from indices.index_level_daily
    where profile = 'house' and index_id = 'top100'
),

cut_offs as (
    select 7 as merge_days
),

triggered as (
    select
        triggers.market_date,
        triggers.liquidation_percentile_pct,
        coalesce(
            triggers.market_date - lag(triggers.market_date) over in_time
            > cut_offs.merge_days,
            true
        ) as is_start
    from triggers
    cross join cut_offs
    where triggers.is_triggered
    window in_time as (order by triggers.market_date)
),

islands as (
    select
        *,
        count(*) filter (where is_start) over (order by market_date) as event_number
    from triggered
),

spans as (
    select
        min(market_date) as start_date,
        max(market_date) as last_trigger_date,
        count(*) as triggered_day_count,
        max(liquidation_percentile_pct) as liquidation_percentile_pct
    from islands
    group by event_number
),

opened as (
    select
        spans.*,
        levels.level as level_before,
        levels.market_value_usd as value_before_usd
    from spans
    inner join levels on spans.start_date - 1 = levels.market_date
),

recoveries as (
    select
        opened.start_date,
        min(levels.market_date) as recovered_date
    from opened
    inner join levels
        on
            opened.start_date < levels.market_date
            and opened.level_before <= levels.level
    group by opened.start_date
),

final as (
    select
        'crash_' || strftime(opened.start_date, '%Y_%m_%d') as event_id,
        opened.start_date,
        opened.last_trigger_date,
        recoveries.recovered_date,
        opened.triggered_day_count,
        opened.liquidation_percentile_pct,
        opened.level_before,
        opened.value_before_usd
    from opened
    left join recoveries on opened.start_date = recoveries.start_date
)

select * from final
