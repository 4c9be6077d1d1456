-- Grain: one row per market_date, coin_id and venue.
-- How accounts stand in a coin: at every venue, and pooled. An account ratio counts
-- heads: long and short money are always equal. Funding is the mean of a week's daily
-- sums times 365, whatever the venue's interval, and needs six days of seven.
with venues as (
    select * from signals.positioning_venue_daily
),

pooled as (
    select * from signals.positioning_pool_daily
),

members as (
    select * from signals.member_daily
    where index_id = 'top100'
),

strengths as (
    select * from signals.coin_strength_daily
),

cut_offs as (
    select
        6 as min_funding_days,
        3 as crowded_long_ratio,
        0.5 as crowded_short_ratio
),

listed as (
    select
        market_date,
        coin_id,
        venue,
        account_log,
        top_account_log,
        top_position_log,
        taker_log,
        funding_rate_fraction,
        open_interest_usd,
        volume_usd,
        perp_count,
        cast(account_log is not null as bigint) as venue_count
    from venues
    union all
    select
        market_date,
        coin_id,
        'pooled' as venue,
        account_log,
        top_account_log,
        top_position_log,
        taker_log,
        funding_rate_fraction,
        open_interest_usd,
        volume_usd,
        perp_count,
        venue_count
    from pooled
),

funded as (
    select
        listed.*,
        case
            when
                count(listed.funding_rate_fraction) over week
                >= cut_offs.min_funding_days
                -- A mean of decimals does not depend on the days around its window.
                then
                    365 * avg(
                        cast(listed.funding_rate_fraction as decimal(38, 15))
                    ) over week
        end as funding_7d_annual_fraction
    from listed
    cross join cut_offs
    window
        week as (
            partition by listed.coin_id, listed.venue
            order by listed.market_date
            range between interval 6 days preceding and current row
        )
),

final as (
    select
        funded.market_date,
        funded.coin_id,
        funded.venue,
        'accounts' as ratio_kind,
        members.coin_id is not null as is_member,
        exp(funded.account_log) as long_short_account_ratio,
        exp(funded.top_account_log) as top_account_ratio,
        exp(funded.top_position_log) as top_position_ratio,
        exp(funded.taker_log) as taker_buy_sell_ratio,
        funded.open_interest_usd,
        funded.open_interest_usd
        / nullif(members.market_cap_usd, 0) as open_interest_to_cap_fraction,
        funded.funding_7d_annual_fraction,
        strengths.strength_14d_score,
        funded.volume_usd,
        funded.perp_count,
        funded.venue_count,
        case
            when funded.account_log is null then 'insufficient'
            when exp(funded.account_log) >= cut_offs.crowded_long_ratio
                then 'crowded_long'
            when exp(funded.account_log) <= cut_offs.crowded_short_ratio
                then 'crowded_short'
            when funded.account_log > 0 then 'long_biased'
            else 'short_biased'
        end as state
    from funded
    cross join cut_offs
    left join members
        on
            funded.market_date = members.market_date
            and funded.coin_id = members.coin_id
    left join strengths
        on
            funded.market_date = strengths.market_date
            and funded.coin_id = strengths.coin_id
)

select * from final
