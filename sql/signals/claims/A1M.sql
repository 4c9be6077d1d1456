-- Grain: one row.
-- Days for which our rebuilding of the index that the press meant had not closed
-- lower, the most within two days of the Sunday.
with readings as (
    select * from indices.index_statistic_daily
    where
        profile = 'mv_compat'
        and index_id = 'small'
        and market_date between date '2025-11-14' and date '2025-11-18'
),

history as (
    select min(market_date) as history_start_date
    from indices.index_statistic_daily
    where profile = 'mv_compat' and index_id = 'small'
),

lows as (
    select
        readings.market_date,
        coalesce(readings.low_since_date, history.history_start_date) as since_date
    from readings
    cross join history
),

measured as (
    select
        *,
        date '2025-11-16' - since_date as days_since_lower,
        case when market_date = date '2025-11-16' then since_date end
            as sunday_since_date
    from lows
),

final as (
    select
        cast(max(days_since_lower) as double) as actual_value,
        count(since_date) as input_count,
        min(market_date) as first_input_date,
        max(market_date) as last_input_date,
        true as is_supported,
        printf(
            'Our index, not the licensed one; at the close of the Sunday itself it was '
            || 'the lowest since %s only',
            cast(max(sunday_since_date) as varchar)
        ) as caveat,
        printf(
            'Lowest since %s at the close of %s',
            cast(min(since_date) as varchar),
            cast(min_by(market_date, since_date) as varchar)
        ) as evidence
    from measured
)

select * from final
