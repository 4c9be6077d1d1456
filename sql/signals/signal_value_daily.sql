-- Grain: one row per market_date, signal_id and entity.
-- Every daily signal's value in one long table, with its rank among its own last 1,460
-- days and its distance from the median of 365 days, before anybody asks how far to
-- trust it. A value that is withheld later still counts as history.
with definitions as (
    select * from reference.signal_definition
    where is_daily
),

listed as (
    select
        *,
        cast(null as double) as agreement_fraction
    from signals.signal_value_market_daily
    union all
    select
        *,
        cast(null as double) as agreement_fraction
    from signals.signal_value_equity_daily
    union all
    select
        *,
        cast(null as double) as agreement_fraction
    from signals.signal_value_asset_daily
    union all
    select * from signals.signal_value_mood_daily
),

cut_offs as (
    select 180 as min_robust_observations
),

-- What lies further back than a percentile looks from the market's first day.
history as (
    select min(market_date) - 1459 as first_date from staging.market_calendar
),

ranked as (
    select
        listed.market_date,
        listed.signal_id,
        listed.entity,
        count(*) over past as observation_count,
        case
            when count(*) over past >= definitions.percentile_observations
                then
                    100.0 * (rank(order by listed.value) over past - 1)
                    / (count(*) over past - 1)
        end as percentile_pct,
        case
            when
                count(*) over year >= least(
                    cut_offs.min_robust_observations,
                    definitions.percentile_observations
                )
                then
                    (listed.value - median(listed.value) over year)
                    / nullif(1.4826 * mad(listed.value) over year, 0)
        end as robust_z
    from listed
    cross join cut_offs
    cross join history
    inner join definitions on listed.signal_id = definitions.signal_id
    where listed.value is not null and listed.market_date >= history.first_date
    window
        past as (
            partition by listed.signal_id, listed.entity
            order by listed.market_date
            range between interval 1459 days preceding and current row
        ),
        year as (
            partition by listed.signal_id, listed.entity
            order by listed.market_date
            range between interval 364 days preceding and current row
        )
),

final as (
    select
        listed.market_date,
        listed.signal_id,
        listed.entity,
        listed.value,
        definitions.unit,
        ranked.percentile_pct,
        ranked.robust_z,
        listed.state,
        coalesce(ranked.observation_count, 0) as observation_count,
        coalesce(ranked.observation_count, 0)
        >= definitions.minimum_observations as is_sufficient,
        least(
            coalesce(ranked.observation_count, 0) / definitions.full_observations, 1
        ) as history_fraction,
        listed.coverage_fraction,
        listed.agreement_fraction
    from listed
    cross join history
    inner join definitions on listed.signal_id = definitions.signal_id
    left join ranked
        on
            listed.market_date = ranked.market_date
            and listed.signal_id = ranked.signal_id
            and listed.entity = ranked.entity
    where listed.market_date >= history.first_date
)

select * from final
