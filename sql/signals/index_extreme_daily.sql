-- Grain: one row per market_date and index_id.
-- For how long a house index has not closed lower, and not higher, than today. Without
-- a lower close in all its history it is at an all-time low, as far as our history
-- goes.
with statistics as (
    select * from indices.index_statistic_daily
    where profile = 'house'
),

cut_offs as (
    select 365 as notable_days
),

aged as (
    select
        *,
        min(market_date) over (partition by index_id) as history_start_date
    from statistics
),

final as (
    select
        aged.market_date,
        aged.index_id,
        aged.level,
        aged.low_since_date,
        aged.high_since_date,
        aged.market_date - aged.low_since_date as days_since_lower,
        aged.market_date - aged.high_since_date as days_since_higher,
        aged.low_since_date is null
        and aged.market_date > aged.history_start_date as is_all_time_low,
        aged.high_since_date is null
        and aged.market_date > aged.history_start_date as is_all_time_high,
        aged.market_date - aged.history_start_date >= cut_offs.notable_days
        and coalesce(
            aged.market_date - aged.low_since_date > cut_offs.notable_days, true
        ) as is_new_low_365d,
        aged.market_date - aged.history_start_date >= cut_offs.notable_days
        and coalesce(
            aged.market_date - aged.high_since_date > cut_offs.notable_days, true
        ) as is_new_high_365d,
        case
            when aged.market_date - aged.history_start_date < cut_offs.notable_days
                then 'insufficient'
            when aged.low_since_date is null then 'all_time_low'
            when aged.high_since_date is null then 'all_time_high'
            when aged.market_date - aged.low_since_date > cut_offs.notable_days
                then 'low_365d'
            when aged.market_date - aged.high_since_date > cut_offs.notable_days
                then 'high_365d'
            else 'inside'
        end as state
    from aged
    cross join cut_offs
)

select * from final
