-- Grain: one row per market_date and index_id.
-- How many of an index's coins took part: rose, beat Bitcoin, stand above their average
-- of 200 days. Each share needs four fifths of the coins. "Only quality rises" is
-- narrow and dispersed: few beat Bitcoin while coins go far apart.
with members as (
    select * from signals.member_daily
),

returns as (
    select * from signals.coin_return_daily
),

dispersions as (
    select * from signals.dispersion_daily
),

bitcoin as (
    select * from returns
    where coin_id = 'bitcoin'
),

cut_offs as (
    select
        0.8 as min_observed_fraction,
        0.25 as narrow_fraction,
        60 as dispersed_pct
),

-- A share is a mean of ones and zeros; Bitcoin cannot beat itself.
votes as (
    select
        members.market_date,
        members.index_id,
        cast(returns.return_30d_fraction > 0 as integer) as is_up_30d,
        cast(returns.return_90d_fraction > 0 as integer) as is_up_90d,
        cast(
            case
                when members.coin_id <> 'bitcoin'
                    then returns.return_30d_fraction > bitcoin.return_30d_fraction
            end as integer
        ) as is_ahead_30d,
        cast(
            case
                when members.coin_id <> 'bitcoin'
                    then returns.return_90d_fraction > bitcoin.return_90d_fraction
            end as integer
        ) as is_ahead_90d,
        cast(returns.price_usd > returns.average_200d_usd as integer) as is_above_200d,
        cast(members.coin_id <> 'bitcoin' as integer) as is_altcoin
    from members
    left join returns
        on
            members.market_date = returns.market_date
            and members.coin_id = returns.coin_id
    left join bitcoin on members.market_date = bitcoin.market_date
),

counted as (
    select
        market_date,
        index_id,
        count(*) as constituent_count,
        sum(is_altcoin) as altcoin_count,
        count(is_up_30d) as observed_count,
        sum(is_up_30d) as up_30d_count,
        count(is_up_90d) as seen_90d_count,
        sum(is_up_90d) as up_90d_count,
        count(is_ahead_30d) as compared_30d_count,
        sum(is_ahead_30d) as ahead_30d_count,
        count(is_ahead_90d) as compared_90d_count,
        sum(is_ahead_90d) as ahead_90d_count,
        count(is_above_200d) as averaged_count,
        sum(is_above_200d) as above_count
    from votes
    group by market_date, index_id
),

bounded as (
    select
        counted.*,
        cut_offs.min_observed_fraction
    from counted
    cross join cut_offs
),

shares as (
    select
        *,
        case
            when observed_count >= min_observed_fraction * constituent_count
                then up_30d_count / observed_count
        end as positive_30d_fraction,
        case
            when seen_90d_count >= min_observed_fraction * constituent_count
                then up_90d_count / seen_90d_count
        end as positive_90d_fraction,
        case
            when compared_30d_count >= min_observed_fraction * altcoin_count
                then ahead_30d_count / compared_30d_count
        end as beating_btc_30d_fraction,
        case
            when compared_90d_count >= min_observed_fraction * altcoin_count
                then ahead_90d_count / compared_90d_count
        end as beating_btc_90d_fraction,
        case
            when averaged_count >= min_observed_fraction * constituent_count
                then above_count / averaged_count
        end as above_200d_average_fraction
    from bounded
),

final as (
    select
        shares.market_date,
        shares.index_id,
        shares.positive_30d_fraction,
        shares.positive_90d_fraction,
        shares.beating_btc_30d_fraction,
        shares.beating_btc_90d_fraction,
        shares.above_200d_average_fraction,
        dispersions.dispersion_30d_fraction,
        dispersions.dispersion_30d_mad_fraction,
        dispersions.dispersion_30d_percentile_pct,
        dispersions.top_quintile_gain_fraction,
        shares.constituent_count,
        shares.observed_count,
        shares.observed_count / shares.constituent_count as coverage_fraction,
        case
            when
                shares.beating_btc_90d_fraction is null
                or dispersions.dispersion_30d_percentile_pct is null
                then 'insufficient'
            when
                shares.beating_btc_90d_fraction < cut_offs.narrow_fraction
                and dispersions.dispersion_30d_percentile_pct > cut_offs.dispersed_pct
                then 'narrow'
            else 'broad'
        end as state
    from shares
    cross join cut_offs
    left join dispersions
        on
            shares.market_date = dispersions.market_date
            and shares.index_id = dispersions.index_id
)

select * from final
