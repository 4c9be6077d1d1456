-- Grain: one row.
-- Five-year return of the house index of small coins.
with readings as (
    select * from indices.index_statistic_daily
    where
        profile = 'house'
        and index_id = 'small'
        and market_date = date '2025-11-16'
),

final as (
    select
        max(return_5y_fraction) as actual_value,
        count(return_5y_fraction) as input_count,
        min(market_date) as first_input_date,
        max(market_date) as last_input_date,
        max(return_5y_fraction) >= -0.4 as is_supported,
        case
            when max(return_5y_fraction) > 0
                then 'Our index, not the licensed one: it gained where that one lost'
            else 'Our index, not the licensed one'
        end as caveat,
        printf(
            'Five years to the Sunday: %+.1f %%', 100 * max(return_5y_fraction)
        ) as evidence
    from readings
)

select * from final
