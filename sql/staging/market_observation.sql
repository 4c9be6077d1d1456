-- Grain: one row per market_date, source, coin_id and known_from.
-- Every vendor's observation of every coin, under our own coin_id, with the span of
-- time in which it was the latest word. known_to is null for the word that stands
-- today.
with market_daily as (
    select * from raw.market_daily
),

coin_xref as (
    select * from reference.coin_xref
),

vendor_identity as (
    select * from reference.vendor_identity
),

classified_coins as (
    select distinct coin_id from reference.asset_class
),

redenominations as (
    select * from reference.redenomination
),

identified as (
    select
        market_daily.market_date,
        market_daily.source,
        coalesce(coin_xref.coin_id, market_daily.coin_id) as coin_id,
        market_daily.coin_id as vendor_coin_id,
        market_daily.symbol,
        market_daily.name,
        market_daily.price_usd,
        market_daily.market_cap_usd,
        market_daily.circulating_supply,
        market_daily.volume_24h_usd,
        market_daily.vintage = 'reconstructed' as is_reconstructed,
        -- History counts as known at the end of the day that it describes.
        case
            when market_daily.vintage = 'reconstructed'
                then cast(market_daily.market_date as timestamptz) + interval 1 day
            else market_daily.known_at
        end as known_from,
        market_daily.known_at as stored_at,
        market_daily.run_id
    from market_daily
    left join vendor_identity
        on market_daily.source = vendor_identity.source
    left join coin_xref
        on
            coalesce(vendor_identity.xref_source, market_daily.source)
            = coin_xref.source
            and market_daily.coin_id = coin_xref.source_coin_id
            and market_daily.market_date
            >= coalesce(coin_xref.valid_from, date '0001-01-01')
            and market_daily.market_date
            < coalesce(coin_xref.valid_to, date '9999-12-31')
    left join classified_coins
        on market_daily.coin_id = classified_coins.coin_id
    -- Where a vendor's ids are not ours, one that nobody has reviewed is no coin.
    where
        coin_xref.coin_id is not null
        or classified_coins.coin_id is not null
        or coalesce(vendor_identity.id_scheme, 'canonical') = 'canonical'
),

-- A live row always wins over a reconstructed one. Two vendor ids of one coin on one
-- day (an old and a new page): the one with the larger cap is the last word.
spanned as (
    select
        *,
        lead(known_from) over (
            partition by market_date, source, coin_id
            order by
                not is_reconstructed, known_from, stored_at,
                coalesce(market_cap_usd, 0), vendor_coin_id
        ) as known_to
    from identified
),

-- Everything is told in today's units of a coin.
later_redenominations as (
    select distinct
        spanned.coin_id,
        spanned.market_date,
        redenominations.effective_date,
        redenominations.new_units_per_old_unit
    from spanned
    inner join redenominations
        on
            spanned.coin_id = redenominations.coin_id
            and spanned.market_date < redenominations.effective_date
),

unit_factors as (
    select
        coin_id,
        market_date,
        product(new_units_per_old_unit) as unit_factor
    from later_redenominations
    group by coin_id, market_date
),

final as (
    select
        spanned.market_date,
        spanned.source,
        spanned.coin_id,
        spanned.known_from,
        spanned.known_to,
        spanned.vendor_coin_id,
        spanned.symbol,
        spanned.name,
        spanned.price_usd / coalesce(unit_factors.unit_factor, 1) as price_usd,
        -- A vendor's zero says that it does not know.
        nullif(spanned.market_cap_usd, 0) as market_cap_usd,
        nullif(
            coalesce(
                nullif(spanned.circulating_supply, 0),
                spanned.market_cap_usd / nullif(spanned.price_usd, 0)
            ),
            0
        ) * coalesce(unit_factors.unit_factor, 1) as circulating_supply,
        spanned.volume_24h_usd,
        coalesce(unit_factors.unit_factor, 1) as unit_factor,
        spanned.is_reconstructed,
        spanned.run_id
    from spanned
    left join unit_factors
        on
            spanned.coin_id = unit_factors.coin_id
            and spanned.market_date = unit_factors.market_date
    where spanned.known_to is null or spanned.known_to > spanned.known_from
)

select * from final
