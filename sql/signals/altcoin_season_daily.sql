-- Grain: one row per market_date and variant_id.
-- Of the largest coins but Bitcoin, how many beat Bitcoin over a horizon, 0 to 100, in
-- every way of counting in use. Taking today's members flatters the score, as who rose
-- got in; the lagged variants take those of the horizon's start. What CoinMarketCap
-- published stands beside it. Needs a return of four fifths of the coins.
with members as (
    select * from signals.member_daily
    where index_id = 'top100_ex_btc'
),

returns as (
    select * from signals.coin_return_daily
),

published as (
    select * from staging.sentiment_daily
    where source = 'cmc_altcoin_season'
),

cut_offs as (
    select
        0.8 as min_observed_fraction,
        75 as altcoin_score,
        25 as bitcoin_score
),

variants as (
    select listed.*
    from (
        values
        ('top50_90d', 50, 90, 'today', 'equal'),
        ('top100_90d', 100, 90, 'today', 'equal'),
        ('top50_30d', 50, 30, 'today', 'equal'),
        ('top50_365d', 50, 365, 'today', 'equal'),
        ('top100_90d_cap_weighted', 100, 90, 'today', 'cap'),
        ('top50_90d_lagged', 50, 90, 'lagged', 'equal'),
        ('top100_90d_lagged', 100, 90, 'lagged', 'equal')
    ) as listed (variant_id, last_rank, horizon_days, membership, weighting)
),

horizons as (
    select
        market_date,
        coin_id,
        30 as horizon_days,
        return_30d_fraction as return_fraction
    from returns
    union all
    select
        market_date,
        coin_id,
        90 as horizon_days,
        return_90d_fraction as return_fraction
    from returns
    union all
    select
        market_date,
        coin_id,
        365 as horizon_days,
        return_365d_fraction as return_fraction
    from returns
),

bitcoin as (
    select * from horizons
    where coin_id = 'bitcoin' and return_fraction is not null
),

-- A cross-section is that of the day, or of the day that the horizon began.
counted as (
    select
        variants.variant_id,
        members.market_date
        + case when variants.membership = 'lagged' then variants.horizon_days else 0 end
            as market_date,
        variants.horizon_days,
        members.coin_id,
        case when variants.weighting = 'cap' then members.market_cap_usd else 1 end
            as weight
    from members
    inner join variants on members.cap_rank <= variants.last_rank
),

compared as (
    select
        counted.market_date,
        counted.variant_id,
        count(*) as constituent_count,
        count(horizons.return_fraction) as observed_count,
        100.0 * cast(
            sum(cast(counted.weight as decimal(38, 6))) filter (
                where horizons.return_fraction > bitcoin.return_fraction
            ) as double
        ) / nullif(
            cast(
                sum(cast(counted.weight as decimal(38, 6))) filter (
                    where horizons.return_fraction is not null
                ) as double
            ),
            0
        ) as score
    from counted
    inner join bitcoin
        on
            counted.market_date = bitcoin.market_date
            and counted.horizon_days = bitcoin.horizon_days
    left join horizons
        on
            counted.market_date = horizons.market_date
            and counted.coin_id = horizons.coin_id
            and counted.horizon_days = horizons.horizon_days
    group by counted.market_date, counted.variant_id
),

judged as (
    select
        compared.*,
        case
            when
                compared.observed_count
                >= cut_offs.min_observed_fraction * compared.constituent_count
                then coalesce(compared.score, 0)
        end as altcoin_season_score
    from compared
    cross join cut_offs
),

final as (
    select
        judged.market_date,
        judged.variant_id,
        cast(variants.horizon_days as bigint) as horizon_days,
        variants.membership,
        variants.weighting,
        judged.altcoin_season_score,
        published.score as published_score,
        judged.constituent_count,
        judged.observed_count,
        judged.observed_count / judged.constituent_count as coverage_fraction,
        case
            when judged.altcoin_season_score is null then 'insufficient'
            when judged.altcoin_season_score >= cut_offs.altcoin_score
                then 'altcoin_season'
            when judged.altcoin_season_score <= cut_offs.bitcoin_score
                then 'bitcoin_season'
            else 'mixed'
        end as state
    from judged
    cross join cut_offs
    inner join variants on judged.variant_id = variants.variant_id
    left join published on judged.market_date = published.market_date
)

select * from final
