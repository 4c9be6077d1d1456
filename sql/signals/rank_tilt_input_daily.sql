-- Grain: one row per market_date and coin_id.
-- The cross-section behind the rank tilt: how large a coin is and how its accounts
-- stand, for the members of the house top 100 but Bitcoin that have both.
with members as (
    select * from signals.member_daily
    where index_id in ('large', 'mid', 'small') and coin_id <> 'bitcoin' and is_fresh
),

positions as (
    select * from signals.positioning_asset_daily
    where venue = 'pooled' and long_short_account_ratio is not null
),

final as (
    select
        members.market_date,
        members.coin_id,
        members.index_id as segment,
        ln(members.market_cap_usd) as market_cap_log,
        ln(positions.long_short_account_ratio) as account_ratio_log
    from members
    inner join positions
        on
            members.market_date = positions.market_date
            and members.coin_id = positions.coin_id
    where members.market_cap_usd > 0
)

select * from final
