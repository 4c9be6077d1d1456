-- Grain: one row per market_date and coin_id.
-- All venues' accounts in a coin together. A venue's crowd leans one way or the other
-- by itself, so a coin counts by its distance from the venue's median coin of the day;
-- the mean of the venues' medians brings it back to a ratio. Weighted by open interest.
with venues as (
    select * from signals.positioning_venue_daily
),

medians as (
    select
        market_date,
        venue,
        median(account_log) as account_median,
        median(top_account_log) as top_account_median,
        median(top_position_log) as top_position_median
    from venues
    group by market_date, venue
),

centres as (
    select
        market_date,
        avg(cast(account_median as decimal(18, 9))) as account_centre,
        avg(cast(top_account_median as decimal(18, 9))) as top_account_centre,
        avg(cast(top_position_median as decimal(18, 9))) as top_position_centre
    from medians
    group by market_date
),

-- Decimals, whose sums do not depend on their order.
exact as (
    select
        venues.*,
        cast(greatest(coalesce(venues.open_interest_usd, 1), 1) as decimal(38, 9))
            as exact_weight,
        greatest(coalesce(venues.open_interest_usd, 1), 1) as weight,
        venues.account_log - medians.account_median as account_distance,
        venues.top_account_log - medians.top_account_median as top_account_distance,
        venues.top_position_log - medians.top_position_median as top_position_distance
    from venues
    inner join medians
        on
            venues.market_date = medians.market_date
            and venues.venue = medians.venue
),

sums as (
    select
        market_date,
        coin_id,
        cast(sum(cast(weight * account_distance as decimal(38, 9))) as double)
        / cast(sum(exact_weight) filter (where account_distance is not null) as double)
            as account_distance,
        cast(sum(cast(weight * top_account_distance as decimal(38, 9))) as double)
        / cast(
            sum(exact_weight) filter (where top_account_distance is not null) as double
        ) as top_account_distance,
        cast(sum(cast(weight * top_position_distance as decimal(38, 9))) as double)
        / cast(
            sum(exact_weight) filter (where top_position_distance is not null) as double
        ) as top_position_distance,
        cast(sum(cast(weight * taker_log as decimal(38, 9))) as double)
        / cast(sum(exact_weight) filter (where taker_log is not null) as double)
            as taker_log,
        cast(sum(cast(weight * funding_rate_fraction as decimal(38, 9))) as double)
        / cast(
            sum(exact_weight) filter (where funding_rate_fraction is not null) as double
        ) as funding_rate_fraction,
        cast(sum(cast(open_interest_usd as decimal(38, 9))) as double)
            as open_interest_usd,
        cast(sum(cast(volume_usd as decimal(38, 9))) as double) as volume_usd,
        cast(sum(perp_count) as bigint) as perp_count,
        count(account_log) as venue_count
    from exact
    group by market_date, coin_id
),

final as (
    select
        sums.market_date,
        sums.coin_id,
        centres.account_centre + sums.account_distance as account_log,
        centres.top_account_centre + sums.top_account_distance as top_account_log,
        centres.top_position_centre + sums.top_position_distance as top_position_log,
        sums.taker_log,
        sums.funding_rate_fraction,
        sums.open_interest_usd,
        sums.volume_usd,
        sums.perp_count,
        sums.venue_count
    from sums
    inner join centres on sums.market_date = centres.market_date
)

select * from final
