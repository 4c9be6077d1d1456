-- Grain: one row per market_date, signal_id and entity.
-- For how many values in a row a daily signal has been one and the same. A figure that
-- is made from prices never is, so one that is comes from a source that sends its last
-- word again. Only signals whose value may not rest.
with signal_values as (
    select * from signals.signal_value_daily
    where value is not null
),

definitions as (
    select * from reference.signal_definition
    where identical_days is not null
),

compared as (
    select
        signal_values.market_date,
        signal_values.signal_id,
        signal_values.entity,
        definitions.identical_days,
        coalesce(
            signal_values.value <> lag(signal_values.value) over in_time, true
        ) as is_change
    from signal_values
    inner join definitions on signal_values.signal_id = definitions.signal_id
    window
        in_time as (
            partition by signal_values.signal_id, signal_values.entity
            order by signal_values.market_date
        )
),

-- Gaps and islands: an island begins with each value that is another than the last.
islands as (
    select
        *,
        count(*) filter (where is_change) over (
            partition by signal_id, entity order by market_date
        ) as island
    from compared
),

counted as (
    select
        *,
        row_number() over (
            partition by signal_id, entity, island order by market_date
        ) as repeat_count
    from islands
),

final as (
    select
        market_date,
        signal_id,
        entity,
        repeat_count,
        repeat_count > identical_days as is_frozen
    from counted
)

select * from final
