-- Grain: one row per market_date and index_id.
-- How many of an index's coins but Bitcoin have more long than short accounts, and how
-- far they lean beyond Bitcoin; and, another thing, whether takers buy or sell. Half of
-- the coins must have a ratio.
with members as (
    select * from signals.member_daily
    where coin_id <> 'bitcoin'
),

positions as (
    select * from signals.positioning_asset_daily
    where venue = 'pooled'
),

bitcoin as (
    select * from positions
    where coin_id = 'bitcoin'
),

cut_offs as (
    select
        0.5 as min_observed_fraction,
        365 as min_observations,
        0.7 as elevated_fraction,
        90 as top_risk_pct,
        1.05 as taker_buy_ratio,
        0.95 as taker_sell_ratio
),

-- Of what was traded v at a ratio r of buying to selling, v r / (1 + r) was bought.
counted as (
    select
        members.market_date,
        members.index_id,
        count(*) as constituent_count,
        count(positions.long_short_account_ratio) as observed_count,
        count(*) filter (where positions.long_short_account_ratio > 1) as above_1_count,
        count(*) filter (where positions.long_short_account_ratio > 2) as above_2_count,
        median(positions.long_short_account_ratio) as median_ratio,
        cast(
            sum(cast(members.weight_fraction as decimal(38, 18))) filter (
                where positions.long_short_account_ratio is not null
            ) as double
        ) as observed_weight,
        cast(sum(cast(members.weight_fraction as decimal(38, 18))) as double) as weight,
        cast(
            sum(
                cast(
                    positions.volume_usd * positions.taker_buy_sell_ratio
                    / (1 + positions.taker_buy_sell_ratio) as decimal(38, 6)
                )
            ) as double
        ) as bought_usd,
        cast(
            sum(
                cast(
                    positions.volume_usd / (1 + positions.taker_buy_sell_ratio)
                    as decimal(38, 6)
                )
            ) as double
        ) as sold_usd
    from members
    left join positions
        on
            members.market_date = positions.market_date
            and members.coin_id = positions.coin_id
    group by members.market_date, members.index_id
),

measured as (
    select
        counted.*,
        bitcoin.long_short_account_ratio as bitcoin_ratio,
        counted.above_1_count / counted.observed_count as above_1_fraction,
        counted.above_2_count / counted.observed_count as above_2_fraction,
        ln(counted.median_ratio / bitcoin.long_short_account_ratio)
            as altcoin_minus_bitcoin_log
    from counted
    cross join cut_offs
    left join bitcoin on counted.market_date = bitcoin.market_date
    where
        counted.observed_count > 0
        and counted.observed_count
        >= cut_offs.min_observed_fraction * counted.constituent_count
),

ranked as (
    select
        measured.market_date,
        measured.index_id,
        count(*) over past as observation_count,
        case
            when count(*) over past >= cut_offs.min_observations
                then
                    100.0
                    * (rank(order by measured.altcoin_minus_bitcoin_log) over past - 1)
                    / (count(*) over past - 1)
        end as percentile_pct
    from measured
    cross join cut_offs
    where measured.altcoin_minus_bitcoin_log is not null
    window
        past as (
            partition by measured.index_id
            order by measured.market_date
            range between interval 1459 days preceding and current row
        )
),

final as (
    select
        counted.market_date,
        counted.index_id,
        measured.above_1_fraction,
        measured.above_2_fraction,
        measured.median_ratio,
        measured.bitcoin_ratio,
        measured.altcoin_minus_bitcoin_log,
        ranked.percentile_pct,
        coalesce(ranked.observation_count, 0) as observation_count,
        counted.bought_usd / nullif(counted.sold_usd, 0) as taker_buy_sell_ratio,
        case
            when counted.bought_usd is null then 'insufficient'
            when counted.bought_usd / counted.sold_usd > cut_offs.taker_buy_ratio
                then 'buying'
            when counted.bought_usd / counted.sold_usd < cut_offs.taker_sell_ratio
                then 'selling'
            else 'balanced'
        end as taker_state,
        counted.constituent_count,
        counted.observed_count,
        coalesce(counted.observed_weight, 0)
        / nullif(counted.weight, 0) as coverage_fraction,
        case
            when measured.above_1_fraction is null then 'insufficient'
            when ranked.percentile_pct >= cut_offs.top_risk_pct then 'local_top_risk'
            when measured.above_1_fraction > cut_offs.elevated_fraction then 'elevated'
            else 'normal'
        end as state
    from counted
    cross join cut_offs
    left join measured
        on
            counted.market_date = measured.market_date
            and counted.index_id = measured.index_id
    left join ranked
        on
            counted.market_date = ranked.market_date
            and counted.index_id = ranked.index_id
)

select * from final
