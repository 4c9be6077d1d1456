-- Grain: one row per session_date and pair_id.
-- What small American companies returned against large ones between two sessions that
-- both have: price returns, unrounded. The pair of funds is a proxy.
with closes as (
    select * from staging.equity_close_daily
),

pairs as (
    select * from reference.equity_pair
),

paired as (
    select
        pairs.*,
        numerator.session_date,
        numerator.close_points as numerator_points,
        denominator.close_points as denominator_points,
        numerator.close_points
        / lag(numerator.close_points) over in_time as numerator_growth,
        denominator.close_points
        / lag(denominator.close_points) over in_time as denominator_growth,
        min(numerator.session_date) over (
            partition by pairs.pair_id
        ) as history_start_date
    from pairs
    inner join closes as numerator on pairs.numerator_ticker = numerator.ticker
    inner join closes as denominator
        on
            pairs.denominator_ticker = denominator.ticker
            and numerator.session_date = denominator.session_date
    window in_time as (partition by pairs.pair_id order by numerator.session_date)
),

final as (
    select
        session_date,
        pair_id,
        numerator_ticker,
        denominator_ticker,
        is_proxy,
        numerator_growth - 1 as numerator_return_fraction,
        denominator_growth - 1 as denominator_return_fraction,
        numerator_growth - denominator_growth as return_difference_fraction,
        numerator_points / denominator_points as ratio,
        coalesce(numerator_growth > denominator_growth, false) as is_outperforming,
        history_start_date
    from paired
)

select * from final
