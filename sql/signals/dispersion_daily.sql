-- Grain: one row per market_date and index_id.
-- How far apart the coins of a house index went in 30 days, and how much of the gains
-- the best fifth of them made. Needs a return of four fifths of the coins. The standard
-- deviation draws in what lies beyond the 0.5th and the 99.5th percentile.
with members as (
    select * from signals.member_daily
),

returns as (
    select * from signals.coin_return_daily
),

cut_offs as (
    select
        0.8 as min_observed_fraction,
        0.2 as best_fraction,
        365 as min_observations
),

crossed as (
    select
        members.market_date,
        members.index_id,
        members.coin_id,
        returns.return_30d_fraction,
        row_number() over (
            partition by members.market_date, members.index_id
            order by returns.return_30d_fraction desc nulls last, members.coin_id asc
        ) as return_rank
    from members
    left join returns
        on
            members.market_date = returns.market_date
            and members.coin_id = returns.coin_id
),

bounds as (
    select
        market_date,
        index_id,
        count(*) as constituent_count,
        count(return_30d_fraction) as observed_count,
        quantile_cont(return_30d_fraction, 0.005) as low_fraction,
        quantile_cont(return_30d_fraction, 0.995) as high_fraction,
        mad(return_30d_fraction) as mad_fraction
    from crossed
    group by market_date, index_id
),

-- Sums of decimals, which do not depend on their order.
sums as (
    select
        crossed.market_date,
        crossed.index_id,
        sum(
            cast(
                least(
                    greatest(crossed.return_30d_fraction, bounds.low_fraction),
                    bounds.high_fraction
                ) as decimal(38, 15)
            )
        ) as return_sum,
        sum(
            cast(
                pow(
                    least(
                        greatest(crossed.return_30d_fraction, bounds.low_fraction),
                        bounds.high_fraction
                    ),
                    2
                ) as decimal(38, 15)
            )
        ) as square_sum,
        sum(cast(greatest(crossed.return_30d_fraction, 0) as decimal(38, 15)))
            as gain_sum,
        sum(cast(greatest(crossed.return_30d_fraction, 0) as decimal(38, 15))) filter (
            where crossed.return_rank <= cut_offs.best_fraction * bounds.observed_count
        ) as best_gain_sum
    from crossed
    inner join bounds
        on
            crossed.market_date = bounds.market_date
            and crossed.index_id = bounds.index_id
    cross join cut_offs
    where crossed.return_30d_fraction is not null
    group by crossed.market_date, crossed.index_id
),

measured as (
    select
        bounds.market_date,
        bounds.index_id,
        bounds.constituent_count,
        bounds.observed_count,
        cut_offs.min_observations,
        sqrt(
            greatest(
                cast(sums.square_sum as double)
                - pow(cast(sums.return_sum as double), 2) / bounds.observed_count,
                0
            ) / (bounds.observed_count - 1)
        ) as dispersion_30d_fraction,
        bounds.mad_fraction as dispersion_30d_mad_fraction,
        cast(sums.best_gain_sum as double)
        / nullif(cast(sums.gain_sum as double), 0) as top_quintile_gain_fraction
    from bounds
    inner join sums
        on
            bounds.market_date = sums.market_date
            and bounds.index_id = sums.index_id
    cross join cut_offs
    where
        bounds.observed_count > 1
        and bounds.observed_count
        >= cut_offs.min_observed_fraction * bounds.constituent_count
),

final as (
    select
        market_date,
        index_id,
        dispersion_30d_fraction,
        dispersion_30d_mad_fraction,
        top_quintile_gain_fraction,
        case
            when count(*) over past >= min_observations
                then
                    100.0 * (rank(order by dispersion_30d_fraction) over past - 1)
                    / (count(*) over past - 1)
        end as dispersion_30d_percentile_pct,
        constituent_count,
        observed_count
    from measured
    window
        past as (
            partition by index_id
            order by market_date
            range between interval 1459 days preceding and current row
        )
)

select * from final
