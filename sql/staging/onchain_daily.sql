-- Grain: one row per market_date, coin_id and metric.
-- What is counted on a coin's own chain, under our coin_id: the latest word of the day.
-- A later word replaces an earlier one, but history loaded later never replaces what we
-- saw ourselves.
with onchain_daily as (
    select * from raw.onchain_daily
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

identified as (
    select
        onchain_daily.market_date,
        coalesce(coin_xref.coin_id, onchain_daily.coin_id) as coin_id,
        onchain_daily.metric,
        onchain_daily.value,
        onchain_daily.vintage = 'reconstructed' as is_reconstructed,
        onchain_daily.known_at as stored_at,
        onchain_daily.source,
        onchain_daily.run_id
    from onchain_daily
    left join vendor_identity
        on onchain_daily.source = vendor_identity.source
    left join coin_xref
        on
            coalesce(vendor_identity.xref_source, onchain_daily.source)
            = coin_xref.source
            and onchain_daily.coin_id = coin_xref.source_coin_id
            and onchain_daily.market_date
            >= coalesce(coin_xref.valid_from, date '0001-01-01')
            and onchain_daily.market_date
            < coalesce(coin_xref.valid_to, date '9999-12-31')
    left join classified_coins
        on onchain_daily.coin_id = classified_coins.coin_id
    -- Where a vendor's ids are not ours, one that nobody has reviewed is no coin.
    where
        coin_xref.coin_id is not null
        or classified_coins.coin_id is not null
        or coalesce(vendor_identity.id_scheme, 'canonical') = 'canonical'
),

final as (
    select
        market_date,
        coin_id,
        metric,
        value,
        is_reconstructed,
        -- History counts as known at the end of the day that it describes.
        case
            when is_reconstructed then cast(market_date as timestamptz) + interval 1 day
            else stored_at
        end as known_at,
        source,
        run_id
    from identified
    qualify row_number() over (
        partition by market_date, coin_id, metric
        order by is_reconstructed asc, stored_at desc, source asc, run_id asc
    ) = 1
)

select * from final
