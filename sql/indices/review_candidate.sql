-- Grain: one row per profile, effective_date and coin_id.
-- Every coin that a review could have taken, measured at the cut-off and held against
-- the screens. A coin is screened twice: as a newcomer, and as a sitting member, of
-- whom less traded value is asked. Who got a place is in indices.review_decision.
with review_calendar as (
    select * from indices.review_calendar
),

inputs as (
    select * from indices.review_input_daily
),

asset_class as (
    select * from reference.asset_class
),

rulebook as (
    select * from reference.rulebook
),

successors as (
    select * from staging.coin_successor
),

first_seen as (
    select * from staging.coin_first_seen
),

-- The nights of the 30 days before the cut-off on which we watched the market live.
live_nights as (
    select
        inputs.profile,
        inputs.effective_date,
        inputs.market_date
    from inputs
    inner join review_calendar
        on
            inputs.profile = review_calendar.profile
            and inputs.effective_date = review_calendar.effective_date
    where inputs.market_date > review_calendar.cutoff_date - 30
    group by inputs.profile, inputs.effective_date, inputs.market_date
    having count(*) filter (where not inputs.is_reconstructed) * 2 >= count(*)
),

live_night_counts as (
    select
        profile,
        effective_date,
        count(*) as live_night_count
    from live_nights
    group by profile, effective_date
),

measured as (
    select
        inputs.profile,
        inputs.effective_date,
        inputs.coin_id,
        max_by(inputs.price_usd, inputs.market_date) as price_usd,
        max_by(inputs.circulating_supply, inputs.market_date) as circulating_supply,
        max(inputs.market_date) as last_observed_date,
        median(inputs.market_cap_usd) filter (
            where
            inputs.market_date
            > review_calendar.cutoff_date - review_calendar.rank_window_days
        ) as window_median_cap_usd,
        max_by(inputs.market_cap_usd, inputs.market_date) as last_cap_usd,
        median(inputs.volume_24h_usd) filter (
            where inputs.market_date > review_calendar.cutoff_date - 30
        ) as median_volume_24h_usd,
        median(inputs.price_usd) filter (
            where inputs.market_date > review_calendar.cutoff_date - 30
        ) as median_price_usd,
        count(*) filter (
            where inputs.market_date > review_calendar.cutoff_date - 30
        ) as observed_days,
        count(live_nights.market_date) as live_observed_days
    from inputs
    inner join review_calendar
        on
            inputs.profile = review_calendar.profile
            and inputs.effective_date = review_calendar.effective_date
    left join live_nights
        on
            inputs.profile = live_nights.profile
            and inputs.effective_date = live_nights.effective_date
            and inputs.market_date = live_nights.market_date
    group by inputs.profile, inputs.effective_date, inputs.coin_id
),

-- From the day of the link on a successor is as old as the coin that it replaced.
ancestry as (
    select
        coin_id,
        coin_id as ancestor_coin_id,
        date '0001-01-01' as link_date
    from (select distinct coin_id from first_seen) as coins
    union all
    select
        successor_coin_id as coin_id,
        coin_id as ancestor_coin_id,
        effective_date as link_date
    from successors
),

ages as (
    select
        measured.profile,
        measured.effective_date,
        measured.coin_id,
        min(first_seen.first_date) as first_seen_date
    from measured
    inner join review_calendar
        on
            measured.profile = review_calendar.profile
            and measured.effective_date = review_calendar.effective_date
    inner join ancestry
        on
            measured.coin_id = ancestry.coin_id
            and review_calendar.cutoff_date >= ancestry.link_date
    inner join first_seen
        on
            ancestry.ancestor_coin_id = first_seen.coin_id
            and review_calendar.cutoff_known_by >= first_seen.known_from
    group by measured.profile, measured.effective_date, measured.coin_id
),

-- A coin that was there on the first day of the history is older than we can say.
beginnings as (
    select
        review_calendar.profile,
        review_calendar.effective_date,
        min(first_seen.first_date) as first_market_date
    from review_calendar
    inner join first_seen on review_calendar.cutoff_known_by >= first_seen.known_from
    group by review_calendar.profile, review_calendar.effective_date
),

-- A coin makes way for its successor from the day of the link on, once that is priced.
migrated as (
    select distinct
        measured.profile,
        measured.effective_date,
        measured.coin_id
    from measured
    inner join review_calendar
        on
            measured.profile = review_calendar.profile
            and measured.effective_date = review_calendar.effective_date
    inner join successors
        on
            measured.coin_id = successors.coin_id
            and review_calendar.cutoff_date >= successors.effective_date
    inner join measured as successor
        on
            measured.profile = successor.profile
            and measured.effective_date = successor.effective_date
            and successors.successor_coin_id = successor.coin_id
),

classed as (
    select
        measured.*,
        review_calendar.cutoff_date,
        coalesce(asset_class.asset_class, 'unclassified') as asset_class,
        case
            when
                review_calendar.rank_window_days > 1
                then coalesce(measured.window_median_cap_usd, measured.last_cap_usd)
            else measured.last_cap_usd
        end as rank_cap_usd,
        case
            when ages.first_seen_date > beginnings.first_market_date
                then review_calendar.cutoff_date - ages.first_seen_date
        end as age_days,
        case
            when live_night_counts.live_night_count > 0
                then measured.live_observed_days / live_night_counts.live_night_count
            else 1
        end as observed_fraction,
        migrated.coin_id is not null as is_migrated
    from measured
    inner join review_calendar
        on
            measured.profile = review_calendar.profile
            and measured.effective_date = review_calendar.effective_date
    inner join ages
        on
            measured.profile = ages.profile
            and measured.effective_date = ages.effective_date
            and measured.coin_id = ages.coin_id
    inner join beginnings
        on
            measured.profile = beginnings.profile
            and measured.effective_date = beginnings.effective_date
    left join live_night_counts
        on
            measured.profile = live_night_counts.profile
            and measured.effective_date = live_night_counts.effective_date
    left join migrated
        on
            measured.profile = migrated.profile
            and measured.effective_date = migrated.effective_date
            and measured.coin_id = migrated.coin_id
    left join asset_class
        on
            measured.coin_id = asset_class.coin_id
            and review_calendar.cutoff_date
            >= coalesce(asset_class.effective_from, date '0001-01-01')
            and review_calendar.cutoff_date
            < coalesce(asset_class.effective_to, date '9999-12-31')
),

excluded as (
    select
        classed.*,
        rulebook.rule is not null as is_class_excluded
    from classed
    left join rulebook
        on
            classed.profile = rulebook.profile
            and 'exclude_class.' || classed.asset_class = rulebook.rule
            and classed.effective_date
            >= coalesce(rulebook.effective_from, date '0001-01-01')
            and classed.effective_date
            < coalesce(rulebook.effective_to, date '9999-12-31')
),

ranked as (
    select
        *,
        case
            when
                not is_class_excluded
                and not is_migrated
                and rank_cap_usd is not null
                then row_number() over (
                    partition by
                        profile,
                        effective_date,
                        is_class_excluded or is_migrated or rank_cap_usd is null
                    order by
                        rank_cap_usd desc,
                        median_volume_24h_usd desc nulls last,
                        age_days desc nulls first,
                        coin_id asc
                )
        end as screen_rank
    from excluded
),

-- The first reason that applies is the one that is given.
judged as (
    select
        ranked.*,
        case
            when ranked.is_class_excluded then 'class excluded'
            when ranked.is_migrated then 'migrated to a successor'
            when ranked.rank_cap_usd is null then 'no circulating supply'
            when
                ranked.age_days < review_calendar.min_age_days
                and not (
                    ranked.age_days >= review_calendar.fast_entry_age_days
                    and ranked.screen_rank <= review_calendar.fast_entry_rank
                )
                then 'too young'
            when
                ranked.observed_fraction < review_calendar.min_observed_fraction
                then 'priced on too few days'
            when
                ranked.price_usd
                < review_calendar.collapse_fraction * ranked.median_price_usd
                then 'price collapsed'
            -- A coin that was priced from day to day and then no more. One that our
            -- history has by the month only cannot be told from it sooner.
            when
                ranked.observed_days >= 10
                and review_calendar.cutoff_date - ranked.last_observed_date
                > review_calendar.max_stale_days_at_cutoff
                then 'no longer priced'
        end as hard_reason,
        case
            when
                review_calendar.min_median_volume_usd > 0
                and ranked.median_volume_24h_usd is null
                then 0
            when
                review_calendar.min_turnover_ratio > 0
                and ranked.median_volume_24h_usd * 365
                < review_calendar.min_turnover_ratio * ranked.rank_cap_usd
                then 0
            when review_calendar.min_median_volume_usd = 0 then 2
            when
                ranked.median_volume_24h_usd >= review_calendar.min_median_volume_usd
                then 2
            when
                ranked.median_volume_24h_usd
                >= review_calendar.min_median_volume_usd
                * review_calendar.sitting_volume_fraction
                then 1
            else 0
        end as liquidity_grade
    from ranked
    inner join review_calendar
        on
            ranked.profile = review_calendar.profile
            and ranked.effective_date = review_calendar.effective_date
),

final as (
    select
        profile,
        effective_date,
        coin_id,
        asset_class,
        hard_reason is null and liquidity_grade = 2 as is_eligible,
        hard_reason is null and liquidity_grade >= 1 as is_eligible_if_sitting,
        coalesce(
            hard_reason, case when liquidity_grade < 2 then 'too little traded' end
        ) as ineligible_reason,
        screen_rank,
        rank_cap_usd,
        price_usd,
        circulating_supply,
        median_volume_24h_usd,
        age_days,
        observed_days,
        observed_fraction,
        last_observed_date
    from judged
)

select * from final
