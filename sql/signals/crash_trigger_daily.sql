-- Grain: one row per market_date.
-- Whether a day looks like a crash, by four tests of which one suffices: a fall far out
-- of the year's run (robust z), a deep fall, liquidations at the top of their history,
-- and a fall of open interest. Each says no where it has too little to go by.
with market_caps as (
    select * from signals.market_cap_daily
    where source = 'own_top100'
),

liquidations as (
    select * from signals.liquidation_market_daily
    where venue = 'all' and quality = 'reported_floor'
),

open_interest as (
    select * from signals.open_interest_market_daily
    where venue = 'all'
),

cut_offs as (
    select
        180 as min_observations,
        -4 as return_robust_z,
        -0.08 as return_fraction,
        99.5 as liquidation_pct,
        -0.15 as open_interest_fraction
),

returns as (
    select
        market_date,
        return_1d_fraction,
        change_1d_usd,
        count(return_1d_fraction) over year as observation_count,
        (return_1d_fraction - median(return_1d_fraction) over year)
        / nullif(1.4826 * mad(return_1d_fraction) over year, 0) as robust_z
    from market_caps
    window
        year as (
            order by market_date
            range between interval 364 days preceding and current row
        )
),

measured as (
    select
        returns.market_date,
        returns.return_1d_fraction,
        returns.change_1d_usd,
        case
            when returns.observation_count >= cut_offs.min_observations
                then returns.robust_z
        end as return_1d_robust_z,
        liquidations.percentile_pct as liquidation_percentile_pct,
        open_interest.change_1d_fraction as open_interest_change_1d_fraction
    from returns
    cross join cut_offs
    left join liquidations on returns.market_date = liquidations.market_date
    left join open_interest on returns.market_date = open_interest.market_date
),

tested as (
    select
        measured.*,
        coalesce(measured.return_1d_robust_z <= cut_offs.return_robust_z, false)
            as is_unusual_return,
        coalesce(measured.return_1d_fraction <= cut_offs.return_fraction, false)
            as is_deep_return,
        coalesce(
            measured.liquidation_percentile_pct >= cut_offs.liquidation_pct, false
        ) as is_liquidation,
        coalesce(
            measured.open_interest_change_1d_fraction
            <= cut_offs.open_interest_fraction,
            false
        ) as is_open_interest
    from measured
    cross join cut_offs
),

final as (
    select
        *,
        cast(is_unusual_return as bigint) + cast(is_deep_return as bigint)
        + cast(is_liquidation as bigint)
        + cast(is_open_interest as bigint) as trigger_count,
        is_unusual_return or is_deep_return
        or is_liquidation or is_open_interest as is_triggered
    from tested
)

select * from final
