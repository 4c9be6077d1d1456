-- Grain: one row per market_date, target_id and horizon_days.
-- What came after a day, for whoever read its figures: from the close of the day after,
-- when they could first act, to that close plus the horizon. Only what is over by now.
with levels as (
    select * from indices.index_level_daily
    where
        profile = 'house'
        and index_id in (
            'top100', 'top100_ex_btc', 'large', 'large_ex_btc', 'small'
        )
        and level > 0
),

horizons as (
    select cast(unnest([1, 7, 30, 90, 180]) as bigint) as horizon_days
),

records as (
    select
        *,
        coalesce(
            level > max(level) over (
                partition by index_id
                order by market_date
                rows between unbounded preceding and 1 preceding
            ),
            false
        ) as is_record
    from levels
),

next_records as (
    select
        *,
        min(case when is_record then market_date end) over (
            partition by index_id
            order by market_date
            rows between 1 following and unbounded following
        ) as next_record_date
    from records
),

entries as (
    select
        next_records.*,
        horizons.horizon_days,
        next_records.market_date + cast(horizons.horizon_days as integer) as exit_date
    from next_records
    cross join horizons
),

forward as (
    select
        entries.market_date - 1 as market_date,
        entries.index_id,
        entries.horizon_days,
        entries.market_date as entry_date,
        entries.exit_date,
        exits.level / entries.level - 1 as return_fraction,
        coalesce(entries.next_record_date <= entries.exit_date, false) as is_new_record
    from entries
    inner join levels as exits
        on
            entries.index_id = exits.index_id
            and entries.exit_date = exits.market_date
),

final as (
    select
        market_date,
        index_id as target_id,
        horizon_days,
        entry_date,
        exit_date,
        return_fraction as outcome_fraction
    from forward
    where index_id <> 'large'
    union all
    select
        small.market_date,
        'small_minus_large' as target_id,
        small.horizon_days,
        small.entry_date,
        small.exit_date,
        small.return_fraction - large.return_fraction as outcome_fraction
    from forward as small
    inner join forward as large
        on
            small.market_date = large.market_date
            and small.horizon_days = large.horizon_days
            and small.index_id = 'small'
            and large.index_id = 'large'
    union all
    select
        market_date,
        'top100_new_record' as target_id,
        horizon_days,
        entry_date,
        exit_date,
        cast(is_new_record as double) as outcome_fraction
    from forward
    where index_id = 'top100'
)

select * from final
