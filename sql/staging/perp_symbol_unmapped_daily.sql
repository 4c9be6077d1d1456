-- Grain: one row per market_date and venue.
-- How much of a venue's open interest is of perpetuals that are led to no coin, or to
-- one that the price contradicts by 5 % or more. What is no coin does not count.
with mapped as (
    select
        *,
        method = 'unmapped' or coalesce(price_deviation_fraction >= 0.05, false)
            as is_doubtful
    from staging.perp_symbol_map
    where method <> 'no coin'
),

interests as (
    select
        market_date,
        venue,
        perp_symbol,
        open_interest_usd,
        vintage,
        known_at,
        source,
        run_id
    from raw.perp_listing_daily
    where open_interest_usd > 0
    union all
    select
        market_date,
        venue,
        perp_symbol,
        open_interest_usd,
        vintage,
        known_at,
        source,
        run_id
    from raw.open_interest_daily
    where open_interest_usd > 0
),

open_interest as (
    select
        market_date,
        venue,
        perp_symbol,
        -- A sum of decimals is the same in any order.
        try_cast(open_interest_usd as decimal(38, 2)) as open_interest_usd
    from interests
    qualify row_number() over (
        partition by market_date, venue, perp_symbol
        order by
            vintage = 'live' desc, known_at desc, source asc, run_id asc,
            open_interest_usd asc
    ) = 1
),

counted as (
    select
        mapped.market_date,
        mapped.venue,
        count(*) as perp_count,
        count(*) filter (where mapped.is_doubtful) as unmapped_perp_count,
        cast(sum(open_interest.open_interest_usd) as double) as open_interest_usd,
        cast(
            sum(open_interest.open_interest_usd) filter (where mapped.is_doubtful)
            as double
        ) as unmapped_open_interest_usd
    from mapped
    left join open_interest
        on
            mapped.market_date = open_interest.market_date
            and mapped.venue = open_interest.venue
            and mapped.perp_symbol = open_interest.perp_symbol
    group by mapped.market_date, mapped.venue
),

final as (
    select
        market_date,
        venue,
        perp_count,
        unmapped_perp_count,
        open_interest_usd,
        coalesce(unmapped_open_interest_usd, 0) / open_interest_usd
            as unmapped_open_interest_fraction
    from counted
)

select * from final
