-- Grain: one row.
-- Least of the steps from small to mid and from mid to large, in return from the day
-- before the crash to the Sunday; above 0 the smallest lost most.
with readings as (
    select * from indices.index_level_daily
    where
        profile = 'house'
        and index_id in ('small', 'mid', 'large')
        and market_date in (date '2025-10-09', date '2025-11-16')
),

returns as (
    select
        index_id,
        max(level) filter (where market_date = date '2025-11-16')
        / max(level) filter (where market_date = date '2025-10-09')
        - 1 as return_fraction
    from readings
    group by index_id
),

sides as (
    select
        max(return_fraction) filter (where index_id = 'small') as small,
        max(return_fraction) filter (where index_id = 'mid') as mid,
        max(return_fraction) filter (where index_id = 'large') as large
    from returns
),

counted as (
    select
        count(level) as input_count,
        min(market_date) as first_input_date,
        max(market_date) as last_input_date
    from readings
),

final as (
    select
        case
            when
                sides.small is not null
                and sides.mid is not null
                and sides.large is not null
                then least(sides.mid - sides.small, sides.large - sides.mid)
        end as actual_value,
        counted.input_count,
        counted.first_input_date,
        counted.last_input_date,
        true as is_supported,
        cast(null as varchar) as caveat,
        printf(
            'Small %+.1f %%, mid %+.1f %%, large %+.1f %%',
            100 * sides.small,
            100 * sides.mid,
            100 * sides.large
        ) as evidence
    from counted
    cross join sides
)

select * from final
