-- Grain: one row per coin_id and suspected_parent_coin_id.
-- Coins whose price behaves as if they were a copy of something: within 1.5 % of a
-- dollar, or of a constant multiple of another coin, on 90 % of the last 60 days seen.
-- It proposes classes; a person decides in reference.asset_class.
with prices as (
    select * from staging.coin_price_daily
),

asset_class as (
    select * from reference.asset_class
    where effective_to is null
),

bounds as (
    select max(market_date) as last_date from prices
),

recent as (
    select
        prices.coin_id,
        prices.market_date,
        prices.price_usd
    from prices
    cross join bounds
    where prices.market_date > bounds.last_date - 60
),

-- What a coin may be a copy of: a dollar, and the coins that are copied in practice.
parents as (
    select
        'us-dollar' as parent_coin_id,
        market_date,
        1.0 as price_usd
    from (select distinct market_date from recent) as days
    union all
    select
        coin_id as parent_coin_id,
        market_date,
        price_usd
    from recent
    where coin_id in ('bitcoin', 'ethereum', 'solana', 'bnb', 'pax-gold', 'tether-gold')
),

ratios as (
    select
        recent.coin_id,
        parents.parent_coin_id,
        recent.market_date,
        recent.price_usd / parents.price_usd as ratio
    from recent
    inner join parents on recent.market_date = parents.market_date
    where recent.coin_id <> parents.parent_coin_id
),

-- A dollar's ratio must be one; another parent's may be any constant.
centres as (
    select
        coin_id,
        parent_coin_id,
        case
            when parent_coin_id = 'us-dollar' then 1.0
            else median(ratio)
        end as centre
    from ratios
    group by coin_id, parent_coin_id
),

shares as (
    select
        ratios.coin_id,
        ratios.parent_coin_id,
        count(*) as observed_days,
        avg(cast(abs(ratios.ratio / centres.centre - 1) <= 0.015 as integer))
            as close_fraction
    from ratios
    inner join centres
        on
            ratios.coin_id = centres.coin_id
            and ratios.parent_coin_id = centres.parent_coin_id
    group by ratios.coin_id, ratios.parent_coin_id
),

final as (
    select
        shares.coin_id,
        shares.parent_coin_id as suspected_parent_coin_id,
        shares.observed_days,
        shares.close_fraction,
        coalesce(asset_class.asset_class, 'unclassified') as asset_class,
        case
            when shares.parent_coin_id = 'us-dollar' then 'fiat_stablecoin'
            when shares.parent_coin_id in ('pax-gold', 'tether-gold')
                then 'commodity_pegged'
            else 'wrapped or liquid_staked'
        end as proposed_class,
        coalesce(asset_class.asset_class, 'unclassified') in ('coin', 'unclassified')
            as is_review_needed
    from shares
    left join asset_class on shares.coin_id = asset_class.coin_id
    where shares.observed_days >= 10 and shares.close_fraction >= 0.9
)

select * from final
