-- Grain: one row.
-- What five years did to the level of small over that of large.
with readings as (
    select * from indices.index_statistic_daily
    where
        profile = 'mv_compat'
        and index_id in ('small', 'large')
        and market_date = date '2025-11-16'
        and return_5y_fraction is not null
),

grown as (
    select
        *,
        1 + return_5y_fraction as growth_ratio
    from readings
),

final as (
    select
        max(growth_ratio) filter (where index_id = 'small')
        / max(growth_ratio) filter (where index_id = 'large') - 1 as actual_value,
        count(*) as input_count,
        min(market_date) as first_input_date,
        max(market_date) as last_input_date,
        true as is_supported,
        'Our indices, not the licensed ones' as caveat,
        printf(
            'A small coin basket is worth %.1f %% of its ratio to large of 2020',
            100 * max(growth_ratio) filter (where index_id = 'small')
            / max(growth_ratio) filter (where index_id = 'large')
        ) as evidence
    from grown
)

select * from final
