-- Grain: one row per profile, effective_date, index_id and coin_id.
-- The basket of every index after every review that has taken effect: units are the
-- circulating supply on the weighting date, frozen until the next review.
with review_calendar as (
    select * from indices.review_calendar
    where is_effective
),

decisions as (
    select * from indices.review_decision
    where segment is not null
),

observations as (
    select * from staging.market_observation
    where circulating_supply > 0
),

prices as (
    select * from indices.constituent_price_daily
),

-- The supply that was known when the review was weighted, not older than the rule
-- allows.
weighted_supply as (
    select
        decisions.profile,
        decisions.effective_date,
        decisions.coin_id,
        observations.market_date,
        median(observations.circulating_supply) as circulating_supply
    from decisions
    inner join review_calendar
        on
            decisions.profile = review_calendar.profile
            and decisions.effective_date = review_calendar.effective_date
    inner join observations
        on
            decisions.coin_id = observations.coin_id
            and observations.market_date
            between review_calendar.weighting_date
            - review_calendar.supply_max_age_days
            + 1
            and review_calendar.weighting_date
            and observations.known_from
            <= cast(review_calendar.weighting_date as timestamptz)
            + to_days(review_calendar.known_within_days)
            and (
                observations.known_to is null
                or observations.known_to
                > cast(review_calendar.weighting_date as timestamptz)
                + to_days(review_calendar.known_within_days)
            )
    group by
        decisions.profile, decisions.effective_date, decisions.coin_id,
        observations.market_date
    qualify row_number() over (
        partition by decisions.profile, decisions.effective_date, decisions.coin_id
        order by observations.market_date desc
    ) = 1
),

weighted as (
    select
        decisions.profile,
        decisions.effective_date,
        decisions.coin_id,
        decisions.segment,
        decisions.candidate_rank,
        review_calendar.weighting_date,
        review_calendar.rulebook_version,
        weighted_supply.circulating_supply as units,
        weighted_supply.market_date as supply_date,
        prices.price_usd,
        prices.price_usd * weighted_supply.circulating_supply as market_value_usd
    from decisions
    inner join review_calendar
        on
            decisions.profile = review_calendar.profile
            and decisions.effective_date = review_calendar.effective_date
    inner join weighted_supply
        on
            decisions.profile = weighted_supply.profile
            and decisions.effective_date = weighted_supply.effective_date
            and decisions.coin_id = weighted_supply.coin_id
    inner join prices
        on
            decisions.coin_id = prices.coin_id
            and review_calendar.weighting_date = prices.market_date
),

baskets as (
    select
        *,
        'top100' as index_id
    from weighted
    union all
    select
        *,
        segment as index_id
    from weighted
),

totals as (
    select
        profile,
        effective_date,
        index_id,
        sum(market_value_usd order by coin_id) as market_value_usd
    from baskets
    group by profile, effective_date, index_id
),

final as (
    select
        baskets.profile,
        baskets.effective_date,
        baskets.index_id,
        baskets.coin_id,
        baskets.segment,
        baskets.candidate_rank,
        row_number() over (
            partition by baskets.profile, baskets.effective_date, baskets.index_id
            order by baskets.market_value_usd desc, baskets.coin_id asc
        ) as weight_rank,
        baskets.units,
        baskets.supply_date,
        baskets.weighting_date,
        baskets.price_usd,
        baskets.market_value_usd,
        baskets.market_value_usd / totals.market_value_usd as weight_fraction,
        baskets.rulebook_version
    from baskets
    inner join totals
        on
            baskets.profile = totals.profile
            and baskets.effective_date = totals.effective_date
            and baskets.index_id = totals.index_id
)

select * from final
