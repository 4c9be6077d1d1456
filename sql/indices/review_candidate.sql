-- Grain: one row per profile, effective_date and coin_id.
-- Every coin that a review could have taken, measured at the cut-off, and whether the
-- rules admit it. Whether it got a place is in indices.review_decision.
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
        median(inputs.volume_24h_usd) as median_volume_24h_usd,
        count(*) filter (
            where inputs.market_date > review_calendar.cutoff_date - 30
        ) as observed_days,
        any_value(review_calendar.rank_window_days) as rank_window_days,
        any_value(review_calendar.cutoff_date) as cutoff_date
    from inputs
    inner join review_calendar
        on
            inputs.profile = review_calendar.profile
            and inputs.effective_date = review_calendar.effective_date
    group by inputs.profile, inputs.effective_date, inputs.coin_id
),

classed as (
    select
        measured.*,
        coalesce(asset_class.asset_class, 'unclassified') as asset_class,
        coalesce(
            case
                when measured.rank_window_days > 1 then measured.window_median_cap_usd
            end,
            measured.last_cap_usd
        ) as rank_cap_usd
    from measured
    left join asset_class
        on
            measured.coin_id = asset_class.coin_id
            and measured.cutoff_date
            >= coalesce(asset_class.effective_from, date '0001-01-01')
            and measured.cutoff_date
            < coalesce(asset_class.effective_to, date '9999-12-31')
),

-- A coin makes way for its successor from the day of the link on, once that is priced.
migrated as (
    select distinct
        classed.profile,
        classed.effective_date,
        classed.coin_id
    from classed
    inner join successors
        on
            classed.coin_id = successors.coin_id
            and classed.cutoff_date >= successors.effective_date
    inner join measured as successor
        on
            classed.profile = successor.profile
            and classed.effective_date = successor.effective_date
            and successors.successor_coin_id = successor.coin_id
),

-- The first reason that applies is the one that is given.
judged as (
    select
        classed.*,
        case
            when rulebook.rule is not null then 'class excluded'
            when migrated.coin_id is not null then 'migrated to a successor'
            when classed.rank_cap_usd is null then 'no circulating supply'
        end as ineligible_reason
    from classed
    left join rulebook
        on
            classed.profile = rulebook.profile
            and 'exclude_class.' || classed.asset_class = rulebook.rule
            and classed.effective_date
            >= coalesce(rulebook.effective_from, date '0001-01-01')
            and classed.effective_date
            < coalesce(rulebook.effective_to, date '9999-12-31')
    left join migrated
        on
            classed.profile = migrated.profile
            and classed.effective_date = migrated.effective_date
            and classed.coin_id = migrated.coin_id
),

final as (
    select
        profile,
        effective_date,
        coin_id,
        asset_class,
        ineligible_reason is null as is_eligible,
        ineligible_reason,
        row_number() over (
            partition by profile, effective_date, ineligible_reason is null
            order by
                rank_cap_usd desc nulls last,
                median_volume_24h_usd desc nulls last,
                coin_id asc
        ) as candidate_rank,
        rank_cap_usd,
        price_usd,
        circulating_supply,
        median_volume_24h_usd,
        observed_days,
        last_observed_date
    from judged
)

select * from final
