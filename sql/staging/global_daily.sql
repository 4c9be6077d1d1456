-- Grain: one row per market_date and source.
-- What every vendor said of the market as a whole: its latest word of the day. A later
-- word replaces an earlier one, but history loaded later never replaces what we saw
-- ourselves.
with global_daily as (
    select * from raw.global_daily
),

latest as (
    select *
    from global_daily
    qualify row_number() over (
        partition by market_date, source
        order by vintage = 'reconstructed' asc, known_at desc, run_id asc
    ) = 1
),

final as (
    select
        market_date,
        source,
        total_market_cap_usd,
        btc_dominance_fraction,
        volume_24h_usd,
        vintage = 'reconstructed' as is_reconstructed,
        -- History counts as known at the end of the day that it describes.
        case
            when vintage = 'reconstructed'
                then cast(market_date as timestamptz) + interval 1 day
            else known_at
        end as known_at,
        run_id
    from latest
)

select * from final
