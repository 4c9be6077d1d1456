-- Grain: one row per market_date, twin_id and twin_source.
-- Figures of ours beside the same as others publish them, and for how many of their
-- days in a row the two have been further apart than they may: our altcoin season and
-- CoinMarketCap's, Bitcoin's price and every other source's, two vendors' totals of the
-- market, and the closes of an index by its first source and another.
with seasons as (
    select * from signals.altcoin_season_daily
    where variant_id = 'top100_90d'
),

prices as (
    select * from staging.coin_price_daily
    where coin_id = 'bitcoin' and not is_held
),

observations as (
    select * from staging.market_observation
    where coin_id = 'bitcoin' and known_to is null and price_usd > 0
),

totals as (
    select * from staging.global_daily
    where total_market_cap_usd > 0
),

closes as (
    select * from staging.equity_close_daily
    where source_count > 1 and ticker_kind = 'index'
),

-- A published season is rounded and of another hour; vendors count other coins.
cut_offs as (
    select
        8 as season_points,
        0.02 as price_fraction,
        0.03 as total_fraction,
        0.001 as close_fraction,
        3 as apart_count
),

compared as (
    select
        seasons.market_date,
        'altcoin_season' as twin_id,
        'cmc_altcoin_season' as twin_source,
        seasons.altcoin_season_score as own_value,
        seasons.published_score as twin_value,
        abs(seasons.altcoin_season_score - seasons.published_score) as twin_difference,
        cut_offs.season_points as allowed_difference
    from seasons
    cross join cut_offs
    where
        seasons.altcoin_season_score is not null
        and seasons.published_score is not null
    union all
    select
        prices.market_date,
        'bitcoin_price' as twin_id,
        observations.source as twin_source,
        prices.price_usd as own_value,
        observations.price_usd as twin_value,
        abs(prices.price_usd / observations.price_usd - 1) as twin_difference,
        cut_offs.price_fraction as allowed_difference
    from prices
    cross join cut_offs
    inner join observations on prices.market_date = observations.market_date
    union all
    select
        first_totals.market_date,
        'market_cap' as twin_id,
        other_totals.source as twin_source,
        first_totals.total_market_cap_usd as own_value,
        other_totals.total_market_cap_usd as twin_value,
        abs(
            first_totals.total_market_cap_usd / other_totals.total_market_cap_usd - 1
        ) as twin_difference,
        cut_offs.total_fraction as allowed_difference
    from totals as first_totals
    cross join cut_offs
    inner join totals as other_totals
        on
            first_totals.market_date = other_totals.market_date
            and first_totals.source < other_totals.source
    union all
    select
        closes.session_date as market_date,
        'equity_close' as twin_id,
        closes.ticker as twin_source,
        closes.close_points as own_value,
        null as twin_value,
        closes.source_disagreement_fraction as twin_difference,
        cut_offs.close_fraction as allowed_difference
    from closes
    cross join cut_offs
),

-- Gaps and islands: an island begins with each day on which the two agree.
islands as (
    select
        *,
        twin_difference > allowed_difference as is_apart,
        count(*) filter (where twin_difference <= allowed_difference) over (
            partition by twin_id, twin_source order by market_date
        ) as island
    from compared
),

counted as (
    select
        *,
        count(*) filter (where is_apart) over (
            partition by twin_id, twin_source, island order by market_date
        ) as apart_count
    from islands
),

final as (
    select
        counted.market_date,
        counted.twin_id,
        counted.twin_source,
        counted.own_value,
        counted.twin_value,
        counted.twin_difference,
        cast(counted.allowed_difference as double) as allowed_difference,
        counted.apart_count,
        case
            when counted.apart_count >= cut_offs.apart_count then 'apart'
            when counted.apart_count > 0 then 'beyond_tolerance'
            else 'agree'
        end as state
    from counted
    cross join cut_offs
)

select * from final
