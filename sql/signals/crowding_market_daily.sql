-- Grain: one row per market_date and index_id.
-- How crowded the longs of an index's coins are: the mean of the coins' scores weighted
-- by cap, and the plain mean. Half of the coins must have a score.
with members as (
    select * from signals.member_daily
),

scores as (
    select * from signals.crowding_asset_daily
    where crowding_score is not null
),

cut_offs as (
    select
        0.5 as min_observed_fraction,
        80 as watch_score
),

-- Sums of decimals, which do not depend on their order.
sums as (
    select
        members.market_date,
        members.index_id,
        count(*) as constituent_count,
        count(scores.crowding_score) as observed_count,
        cast(
            sum(
                cast(
                    members.weight_fraction * scores.crowding_score as decimal(38, 15)
                )
            ) as double
        ) as weighted_score,
        cast(
            sum(cast(members.weight_fraction as decimal(38, 15))) filter (
                where scores.crowding_score is not null
            ) as double
        ) as observed_weight,
        avg(cast(scores.crowding_score as decimal(18, 9))) as mean_score
    from members
    left join scores
        on
            members.market_date = scores.market_date
            and members.coin_id = scores.coin_id
    group by members.market_date, members.index_id
),

judged as (
    select
        sums.*,
        sums.observed_count
        >= cut_offs.min_observed_fraction * sums.constituent_count as is_sufficient,
        cut_offs.watch_score
    from sums
    cross join cut_offs
),

final as (
    select
        market_date,
        index_id,
        case
            when is_sufficient then weighted_score / nullif(observed_weight, 0)
        end as crowding_score,
        case when is_sufficient then mean_score end as crowding_equal_score,
        constituent_count,
        observed_count,
        coalesce(observed_weight, 0) as coverage_fraction,
        case
            when not is_sufficient then 'insufficient'
            when weighted_score / nullif(observed_weight, 0) >= watch_score then 'watch'
            else 'normal'
        end as state
    from judged
)

select * from final
