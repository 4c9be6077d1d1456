-- Grain: one row per market_date, venue and perp_symbol.
-- Close, range and traded value of a perpetual: the latest word of the day. A later
-- word replaces an earlier one, but history loaded later never replaces what we saw
-- ourselves.
with perp_daily as (
    select * from raw.perp_daily
),

latest as (
    select *
    from perp_daily
    qualify row_number() over (
        partition by market_date, venue, perp_symbol
        order by vintage = 'reconstructed' asc, known_at desc, source asc, run_id asc
    ) = 1
),

final as (
    select
        market_date,
        venue,
        perp_symbol,
        close_usd,
        high_usd,
        low_usd,
        volume_usd,
        vintage = 'reconstructed' as is_reconstructed,
        -- History counts as known at the end of the day that it describes.
        case
            when vintage = 'reconstructed'
                then cast(market_date as timestamptz) + interval 1 day
            else known_at
        end as known_at,
        source,
        run_id
    from latest
)

select * from final
