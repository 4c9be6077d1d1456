-- Grain: one row per signal_id and entity with another state than on its day before.
-- What changed state on the last day.
with stated as (
    select
        market_date,
        signal_id,
        entity,
        value,
        unit,
        state,
        lag(state) over (
            partition by signal_id, entity
            order by market_date
        ) as state_before
    from signals.signal_daily
),

definitions as (
    select * from reference.signal_definition
),

final as (
    select
        stated.market_date,
        stated.signal_id,
        definitions.title,
        stated.entity,
        stated.state_before,
        stated.state,
        stated.value,
        stated.unit
    from stated
    inner join definitions on stated.signal_id = definitions.signal_id
    where
        stated.market_date = (select about.market_date from main.about as about)
        and stated.state <> stated.state_before
    order by stated.signal_id, stated.entity
)

select * from final
