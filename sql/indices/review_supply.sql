-- Grain: one row per profile, effective_date and coin_id.
-- The units that a member gets at a review: the circulating supply known at the
-- weighting date. A change of a sitting member beyond the gate must be confirmed: by
-- two sources that agree, by the review before having seen a supply within the gate of
-- it, or by a reviewed row. Until then the old units stay. Those of a review that is
-- still pro forma are what is known so far.
with recursive

review_calendar as (
    select * from indices.review_calendar
),

seats as (
    select * from indices.review_seat
    where segment is not null
),

observations as (
    select * from staging.market_observation
    where circulating_supply > 0
),

successors as (
    select * from staging.coin_successor
),

-- A coin, and after it what became it otherwise than in a merger, the nearest first.
forms as (
    select
        coin_id,
        coin_id as told_coin_id,
        cast(1 as double) as units_per_told_coin,
        date '0001-01-01' as link_date,
        0 as link_count
    from (select distinct coin_id from seats) as coins
    union all
    select
        successor_coin_id as coin_id,
        coin_id as told_coin_id,
        units_per_coin as units_per_told_coin,
        effective_date as link_date,
        link_count
    from successors
    where not has_merger
),

confirmations as (
    select * from reference.supply_confirmation
),

due as (
    select
        seats.profile,
        seats.effective_date,
        seats.coin_id,
        seats.review_number,
        review_calendar.cutoff_date,
        review_calendar.weighting_date,
        review_calendar.weighting_known_by,
        review_calendar.input_max_age_days,
        review_calendar.supply_change_gate_fraction,
        review_calendar.supply_agreement_fraction
    from seats
    inner join review_calendar
        on
            seats.profile = review_calendar.profile
            and seats.effective_date = review_calendar.effective_date
),

offered as (
    select
        due.profile,
        due.effective_date,
        due.coin_id,
        forms.link_count,
        forms.told_coin_id,
        observations.market_date as supply_date,
        observations.source,
        observations.circulating_supply * forms.units_per_told_coin
            as circulating_supply
    from due
    inner join forms
        on
            due.coin_id = forms.coin_id
            and due.cutoff_date >= forms.link_date
    inner join observations
        on
            forms.told_coin_id = observations.coin_id
            and observations.market_date
            between due.cutoff_date - due.input_max_age_days + 1
            and due.weighting_date
            and due.weighting_known_by >= observations.known_from
            and (
                observations.known_to is null
                or due.weighting_known_by < observations.known_to
            )
),

-- The last day with a supply, of an old form only where the coin itself has none.
told as (
    select *
    from offered
    qualify rank() over (
        partition by profile, effective_date, coin_id
        order by link_count asc, told_coin_id asc, supply_date desc
    ) = 1
),

supplies as (
    select
        profile,
        effective_date,
        coin_id,
        supply_date,
        median(circulating_supply) as seen_supply
    from told
    group by profile, effective_date, coin_id, supply_date
),

-- How far the two sources are apart that stand next to the median, one on each side or
-- one of them the median itself.
agreements as (
    select
        supplies.profile,
        supplies.effective_date,
        supplies.coin_id,
        min(upper_side.circulating_supply / lower_side.circulating_supply - 1)
            as source_gap_fraction
    from supplies
    inner join told as lower_side
        on
            supplies.profile = lower_side.profile
            and supplies.effective_date = lower_side.effective_date
            and supplies.coin_id = lower_side.coin_id
            and supplies.seen_supply >= lower_side.circulating_supply
    inner join told as upper_side
        on
            supplies.profile = upper_side.profile
            and supplies.effective_date = upper_side.effective_date
            and supplies.coin_id = upper_side.coin_id
            and supplies.seen_supply <= upper_side.circulating_supply
            and lower_side.source != upper_side.source
    group by supplies.profile, supplies.effective_date, supplies.coin_id
),

judged as (
    select
        due.profile,
        due.review_number,
        due.effective_date,
        due.coin_id,
        due.supply_change_gate_fraction,
        supplies.supply_date,
        supplies.seen_supply,
        coalesce(
            agreements.source_gap_fraction <= due.supply_agreement_fraction, false
        )
        or confirmations.coin_id is not null as is_confirmed
    from due
    inner join supplies
        on
            due.profile = supplies.profile
            and due.effective_date = supplies.effective_date
            and due.coin_id = supplies.coin_id
    left join agreements
        on
            due.profile = agreements.profile
            and due.effective_date = agreements.effective_date
            and due.coin_id = agreements.coin_id
    left join confirmations
        on
            due.coin_id = confirmations.coin_id
            and due.effective_date = confirmations.effective_date
),

review_dates as (
    select distinct
        profile,
        review_number,
        cutoff_date
    from due
),

gated as (
    select
        profile,
        review_number,
        effective_date,
        coin_id,
        supply_date,
        seen_supply,
        seen_supply as units,
        false as is_held_back
    from judged
    where review_number = 1

    union all

    select
        judged.profile,
        judged.review_number,
        judged.effective_date,
        judged.coin_id,
        judged.supply_date,
        judged.seen_supply,
        case
            when
                not judged.is_confirmed
                and abs(judged.seen_supply / before_review.units - 1)
                > judged.supply_change_gate_fraction
                and abs(judged.seen_supply / before_review.seen_supply - 1)
                > judged.supply_change_gate_fraction
                then before_review.units
            else judged.seen_supply
        end as units,
        coalesce(
            not judged.is_confirmed
            and abs(judged.seen_supply / before_review.units - 1)
            > judged.supply_change_gate_fraction
            and abs(judged.seen_supply / before_review.seen_supply - 1)
            > judged.supply_change_gate_fraction,
            false
        ) as is_held_back
    from (
        select
            forms.profile,
            forms.review_number,
            forms.coin_id,
            sum(forms.units) as units,
            sum(forms.seen_supply) as seen_supply
        from (
            select
                profile,
                review_number + 1 as review_number,
                coin_id,
                units,
                seen_supply
            from gated
            union all
            -- The units of a predecessor count, once the link is in effect.
            select
                gated.profile,
                gated.review_number + 1 as review_number,
                successors.successor_coin_id as coin_id,
                gated.units * successors.units_per_coin as units,
                gated.seen_supply * successors.units_per_coin as seen_supply
            from gated
            inner join successors on gated.coin_id = successors.coin_id
            inner join review_dates
                on
                    gated.profile = review_dates.profile
                    and gated.review_number + 1 = review_dates.review_number
                    and successors.effective_date <= review_dates.cutoff_date
        ) as forms
        group by forms.profile, forms.review_number, forms.coin_id
    ) as before_review
    full join judged
        on
            before_review.profile = judged.profile
            and before_review.review_number = judged.review_number
            and before_review.coin_id = judged.coin_id
    where
        (judged.profile, judged.review_number) in (
            select
                gated.profile,
                gated.review_number + 1 as review_number
            from gated
        )
),

final as (
    select
        profile,
        effective_date,
        coin_id,
        units,
        supply_date,
        seen_supply,
        is_held_back
    from gated
)

select * from final
