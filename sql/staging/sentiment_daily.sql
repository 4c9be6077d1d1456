-- Grain: one row per market_date and source.
-- What every vendor of a market mood said of the day: its latest word. A later word
-- replaces an earlier one, but history loaded later never replaces what we saw
-- ourselves.
with sentiment_daily as (
    select * from raw.sentiment_daily
),

latest as (
    select *
    from sentiment_daily
    qualify row_number() over (
        partition by market_date, source
        order by vintage = 'reconstructed' asc, known_at desc, run_id asc
    ) = 1
),

final as (
    select
        market_date,
        source,
        score,
        label,
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
