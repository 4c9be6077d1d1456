-- Grain: one row per market_date and component_id.
-- The parts of the composite sentiment: each reading as a percentile of its own last
-- 1,460 days, turned so that 100 is appetite for risk. A component without a figure
-- keeps its row and its weight, so that what is missing can be seen.
with components as (
    select * from reference.sentiment_component
),

readings as (
    select * from signals.sentiment_reading_daily
),

calendar as (
    select distinct market_date from signals.market_cap_daily
    where source = 'own_top100'
),

cut_offs as (
    select 365 as min_observations
),

pillars as (
    select count(distinct pillar) as pillar_count from components
),

weights as (
    select
        components.*,
        1.0 / pillars.pillar_count
        / count(*) over (partition by components.pillar) as weight_fraction
    from components
    cross join pillars
),

ranked as (
    select
        readings.*,
        count(*) over past as observation_count,
        case
            when count(*) over past >= cut_offs.min_observations
                then
                    100.0 * (rank(order by readings.value) over past - 1)
                    / (count(*) over past - 1)
        end as percentile_pct
    from readings
    cross join cut_offs
    window
        past as (
            partition by readings.component_id, readings.series
            order by readings.market_date
            range between interval 1459 days preceding and current row
        )
),

-- Of an index and the fund that stands for it, the index where it has a fresh close.
chosen as (
    select *
    from ranked
    qualify row_number() over (
        partition by market_date, component_id
        order by
            percentile_pct is null asc,
            series in ('IWM', 'iwm_over_spy') asc,
            stale_days asc,
            series asc
    ) = 1
),

final as (
    select
        calendar.market_date,
        weights.component_id,
        weights.pillar,
        chosen.series,
        chosen.value,
        chosen.percentile_pct,
        case
            when weights.orientation = 1 then chosen.percentile_pct
            when weights.orientation = -1 then 100 - chosen.percentile_pct
        end as oriented_pct,
        weights.weight_fraction,
        chosen.percentile_pct is not null as is_available,
        chosen.stale_days,
        coalesce(chosen.observation_count, 0) as observation_count,
        weights.version
    from calendar
    cross join weights
    left join chosen
        on
            calendar.market_date = chosen.market_date
            and weights.component_id = chosen.component_id
)

select * from final
