-- Grain: one row per market_date.
-- How many coins of the house top 100 are under water, by the estimate from their
-- volume: needs an estimate of a fifth of the coins, which are the larger ones.
with holders as (
    select * from signals.holder_stress_daily
),

cut_offs as (
    select 0.2 as min_observed_fraction
),

counted as (
    select
        market_date,
        count(*) as constituent_count,
        count(estimated_gain_fraction) as observed_count,
        median(estimated_gain_fraction) as median_gain_fraction,
        count(*) filter (where estimated_gain_fraction < 0) as underwater_count
    from holders
    group by market_date
),

final as (
    select
        counted.market_date,
        case
            when
                counted.observed_count
                >= cut_offs.min_observed_fraction * counted.constituent_count
                then counted.median_gain_fraction
        end as median_gain_fraction,
        case
            when
                counted.observed_count
                >= cut_offs.min_observed_fraction * counted.constituent_count
                then counted.underwater_count / counted.observed_count
        end as underwater_fraction,
        counted.constituent_count,
        counted.observed_count,
        counted.observed_count / counted.constituent_count as coverage_fraction,
        case
            when
                counted.observed_count
                < cut_offs.min_observed_fraction * counted.constituent_count
                then 'insufficient'
            when counted.median_gain_fraction < 0 then 'underwater'
            else 'above_water'
        end as state
    from counted
    cross join cut_offs
)

select * from final
