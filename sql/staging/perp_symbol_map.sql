-- Grain: one row per market_date, venue and perp_symbol.
-- Which coin a perpetual is of, and how many of it its price is of. A reviewed row
-- wins. Without one the coin is the vendor's own id, and the multiplier the one of 1,
-- 1,000, 10,000 and 1,000,000 that brings the perpetual within 5 % of the coin's
-- price; the name decides nothing. A day without prices, or on which the two come apart
-- by less than half, keeps what prices said within the seven days before.
with seen as (
    select
        market_date,
        venue,
        perp_symbol
    from raw.perp_listing_daily
    union
    select
        market_date,
        venue,
        perp_symbol
    from raw.perp_daily
    union
    select
        market_date,
        venue,
        perp_symbol
    from raw.open_interest_daily
    union
    select
        market_date,
        venue,
        perp_symbol
    from raw.positioning_daily
    union
    select
        market_date,
        venue,
        perp_symbol
    from raw.funding_daily
    union
    select
        market_date,
        venue,
        perp_symbol
    from raw.liquidation_daily
),

listings as (
    select
        market_date,
        venue,
        perp_symbol,
        source,
        coin_id as vendor_coin_id,
        last_price_usd
    from raw.perp_listing_daily
    qualify row_number() over (
        partition by market_date, venue, perp_symbol
        order by vintage = 'live' desc, known_at desc, source asc, run_id asc
    ) = 1
),

closes as (
    select
        market_date,
        venue,
        perp_symbol,
        close_usd
    from raw.perp_daily
    where close_usd > 0
    qualify row_number() over (
        partition by market_date, venue, perp_symbol
        order by vintage = 'live' desc, known_at desc, source asc, run_id asc
    ) = 1
),

coin_xref as (
    select * from reference.coin_xref
),

reviewed as (
    select
        venue,
        perp_symbol,
        coin_id,
        multiplier,
        coalesce(valid_from, date '0001-01-01') as valid_from,
        coalesce(valid_to, date '9999-12-31') as valid_to
    from reference.perp_symbol
),

spot_prices as (
    select
        market_date,
        coin_id,
        price_usd
    from staging.coin_price_daily
    where price_usd > 0 and not is_held
),

multipliers as (
    select unnest([1, 1000, 10000, 1000000])::double as multiplier
),

listed_coins as (
    select
        listings.market_date,
        listings.venue,
        listings.perp_symbol,
        coalesce(coin_xref.coin_id, listings.vendor_coin_id) as coin_id
    from listings
    left join coin_xref
        on
            listings.source = coin_xref.source
            and listings.vendor_coin_id = coin_xref.source_coin_id
            and listings.market_date
            >= coalesce(coin_xref.valid_from, date '0001-01-01')
            and listings.market_date
            < coalesce(coin_xref.valid_to, date '9999-12-31')
    where listings.vendor_coin_id is not null
),

changes as (
    select
        *,
        lag(coin_id) over (
            partition by venue, perp_symbol
            order by market_date
        ) as previous_coin_id
    from listed_coins
),

-- The first listing tells of the days before it too: the price has to agree anyway.
listed_spans as (
    select
        venue,
        perp_symbol,
        coin_id,
        case when previous_coin_id is null then date '0001-01-01' else market_date end
            as valid_from,
        coalesce(
            lead(market_date) over (
                partition by venue, perp_symbol
                order by market_date
            ),
            date '9999-12-31'
        ) as valid_to
    from changes
    where previous_coin_id is distinct from coin_id
),

named as (
    select
        seen.market_date,
        seen.venue,
        seen.perp_symbol,
        reviewed.perp_symbol is not null as is_reviewed,
        case
            when reviewed.perp_symbol is not null then reviewed.coin_id
            else listed_spans.coin_id
        end as coin_id,
        reviewed.multiplier as reviewed_multiplier,
        coalesce(closes.close_usd, listings.last_price_usd) as perp_price_usd
    from seen
    left join reviewed
        on
            seen.venue = reviewed.venue
            and seen.perp_symbol = reviewed.perp_symbol
            and seen.market_date >= reviewed.valid_from
            and seen.market_date < reviewed.valid_to
    left join listed_spans
        on
            seen.venue = listed_spans.venue
            and seen.perp_symbol = listed_spans.perp_symbol
            and seen.market_date >= listed_spans.valid_from
            and seen.market_date < listed_spans.valid_to
    left join closes
        on
            seen.market_date = closes.market_date
            and seen.venue = closes.venue
            and seen.perp_symbol = closes.perp_symbol
    left join listings
        on
            seen.market_date = listings.market_date
            and seen.venue = listings.venue
            and seen.perp_symbol = listings.perp_symbol
),

-- Two multipliers are a factor of ten apart, so that no more than one can agree.
told_by_price as (
    select
        named.market_date,
        named.venue,
        named.perp_symbol,
        multipliers.multiplier
    from named
    inner join spot_prices
        on
            named.market_date = spot_prices.market_date
            and named.coin_id = spot_prices.coin_id
    cross join multipliers
    where
        named.reviewed_multiplier is null
        and abs(
            named.perp_price_usd / (multipliers.multiplier * spot_prices.price_usd) - 1
        ) < 0.05
),

compared as (
    select
        named.*,
        spot_prices.price_usd as spot_price_usd,
        told_by_price.multiplier as told_multiplier,
        last_value(told_by_price.multiplier ignore nulls) over (
            partition by named.venue, named.perp_symbol, named.coin_id
            order by named.market_date
            range between interval 7 days preceding and current row
        ) as recent_multiplier
    from named
    left join spot_prices
        on
            named.market_date = spot_prices.market_date
            and named.coin_id = spot_prices.coin_id
    left join told_by_price
        on
            named.market_date = told_by_price.market_date
            and named.venue = told_by_price.venue
            and named.perp_symbol = told_by_price.perp_symbol
),

-- In a crash perpetuals come off their coins by more than 5 %, but not by half.
kept as (
    select
        *,
        case
            when
                abs(perp_price_usd / (recent_multiplier * spot_price_usd) - 1) < 0.5
                or perp_price_usd is null
                or spot_price_usd is null
                then recent_multiplier
        end as kept_multiplier
    from compared
),

decided as (
    select
        market_date,
        venue,
        perp_symbol,
        coin_id,
        coalesce(reviewed_multiplier, told_multiplier, kept_multiplier) as multiplier,
        case
            when is_reviewed and coin_id is null then 'no coin'
            when reviewed_multiplier is not null then 'reviewed'
            when told_multiplier is not null then 'price'
            when kept_multiplier is not null then 'recent price'
            else 'unmapped'
        end as method,
        perp_price_usd,
        spot_price_usd
    from kept
),

final as (
    select
        market_date,
        venue,
        perp_symbol,
        case when multiplier is not null then coin_id end as coin_id,
        multiplier,
        method,
        perp_price_usd,
        abs(perp_price_usd / (multiplier * spot_price_usd) - 1)
            as price_deviation_fraction
    from decided
)

select * from final
