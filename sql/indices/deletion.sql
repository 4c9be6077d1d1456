-- Grain: one row per profile, effective_date and coin_id.
-- Members that were removed after one review and up to the weighting date of the
-- next, and at what price. A coin whose price has collapsed for two closes goes at
-- that price; one that collapsed and then stopped being priced goes at zero; one that
-- merely stopped being priced goes at its last price. Nobody takes the place before
-- the next review.
with constituents as (
    select * from indices.constituent
    where index_id = 'top100'
),

review_calendar as (
    select * from indices.review_calendar
),

prices as (
    select * from indices.constituent_price_daily
),

periods as (
    select
        profile,
        effective_date,
        weighting_date,
        lead(weighting_date) over (partition by profile order by effective_date)
            as next_weighting_date
    from constituents
    group by profile, effective_date, weighting_date
),

watched as (
    select
        constituents.profile,
        constituents.effective_date,
        constituents.coin_id,
        prices.market_date,
        prices.observed_date,
        prices.price_usd as last_price_usd,
        case
            when prices.is_collapse_confirmed and prices.stale_days = 0
                then 'collapsed'
            when
                prices.is_collapsed
                and prices.missed_night_count > review_calendar.stale_remove_days
                then 'collapsed and no longer priced'
            when
                prices.missed_night_count > case
                    when prices.is_reconstructed
                        then review_calendar.stale_remove_days_reconstructed
                    else review_calendar.stale_remove_days
                end
                then 'no longer priced'
        end as reason
    from constituents
    inner join review_calendar
        on
            constituents.profile = review_calendar.profile
            and constituents.effective_date = review_calendar.effective_date
    inner join periods
        on
            constituents.profile = periods.profile
            and constituents.effective_date = periods.effective_date
    inner join prices
        on
            constituents.coin_id = prices.coin_id
            and periods.weighting_date < prices.market_date
            and (
                periods.next_weighting_date is null
                or periods.next_weighting_date >= prices.market_date
            )
    where prices.is_collapsed or prices.missed_night_count > 0
),

final as (
    select
        profile,
        effective_date,
        coin_id,
        market_date as deletion_date,
        reason,
        observed_date as last_observed_date,
        last_price_usd,
        case
            when reason = 'collapsed and no longer priced' then 0
            else last_price_usd
        end as removal_price_usd
    from watched
    where reason is not null
    qualify row_number() over (
        partition by profile, effective_date, coin_id
        order by market_date
    ) = 1
)

select * from final
