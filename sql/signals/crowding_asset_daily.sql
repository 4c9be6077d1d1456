-- Grain: one row per market_date and coin_id.
-- How crowded the longs of a coin are by its own standards, 0 to 100: the mean of three
-- percentiles of its last 1,460 days: account ratio, open interest over cap, funding.
-- Each needs 365 days; two of the three must be there.
with positions as (
    select * from signals.positioning_asset_daily
    where venue = 'pooled' and is_member
),

cut_offs as (
    select
        365 as min_observations,
        2 as min_components,
        80 as watch_score
),

readings as (
    select
        market_date,
        coin_id,
        'account_ratio' as component_id,
        long_short_account_ratio as value
    from positions
    union all
    select
        market_date,
        coin_id,
        'open_interest_to_cap' as component_id,
        open_interest_to_cap_fraction as value
    from positions
    union all
    select
        market_date,
        coin_id,
        'funding_7d' as component_id,
        funding_7d_annual_fraction as value
    from positions
),

ranked as (
    select
        readings.market_date,
        readings.coin_id,
        readings.component_id,
        case
            when count(*) over past >= cut_offs.min_observations
                then
                    100.0 * (rank(order by readings.value) over past - 1)
                    / (count(*) over past - 1)
        end as percentile_pct
    from readings
    cross join cut_offs
    where readings.value is not null
    window
        past as (
            partition by readings.coin_id, readings.component_id
            order by readings.market_date
            range between interval 1459 days preceding and current row
        )
),

-- Means of decimals, which do not depend on their order.
means as (
    select
        market_date,
        coin_id,
        avg(cast(percentile_pct as decimal(18, 9))) as mean_pct,
        count(percentile_pct) as component_count,
        max(percentile_pct) filter (where component_id = 'account_ratio')
            as account_ratio_pct,
        max(percentile_pct) filter (where component_id = 'open_interest_to_cap')
            as open_interest_pct,
        max(percentile_pct) filter (where component_id = 'funding_7d')
            as funding_pct
    from ranked
    group by market_date, coin_id
),

final as (
    select
        means.market_date,
        means.coin_id,
        case
            when means.component_count >= cut_offs.min_components then means.mean_pct
        end as crowding_score,
        means.component_count,
        means.account_ratio_pct,
        means.open_interest_pct,
        means.funding_pct,
        case
            when means.component_count < cut_offs.min_components then 'insufficient'
            when means.mean_pct >= cut_offs.watch_score then 'watch'
            else 'normal'
        end as state
    from means
    cross join cut_offs
)

select * from final
