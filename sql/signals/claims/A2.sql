-- Grain: one row.
-- Members of the three size segments at the last review before the article.
with readings as (
    select * from indices.constituent
    where
        profile = 'mv_compat'
        and index_id in ('large', 'mid', 'small')
        and effective_date <= date '2025-11-16'
),

latest as (
    select max(effective_date) as effective_date
    from readings
),

counted as (
    select
        readings.effective_date,
        count(*) filter (where readings.index_id = 'large') as large_count,
        count(*) filter (where readings.index_id = 'mid') as mid_count,
        count(*) filter (where readings.index_id = 'small') as small_count
    from readings
    inner join latest on readings.effective_date = latest.effective_date
    group by readings.effective_date
),

final as (
    select
        cast(max(small_count) as double) as actual_value,
        cast(coalesce(sum(large_count + mid_count + small_count), 0) as bigint)
            as input_count,
        min(effective_date) as first_input_date,
        max(effective_date) as last_input_date,
        coalesce(max(large_count) = 20 and max(mid_count) = 30, false) as is_supported,
        cast(null as varchar) as caveat,
        printf(
            '%d large, %d mid, %d small coins from %s on',
            max(large_count),
            max(mid_count),
            max(small_count),
            cast(max(effective_date) as varchar)
        ) as evidence
    from counted
)

select * from final
