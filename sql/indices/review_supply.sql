-- Grain: one row per profile, effective_date and coin_id.
-- The units that a member gets at a review: the circulating supply known at the
-- weighting date. A change of a sitting member beyond the gate must be confirmed: by
-- two sources that agree, by the review before having seen a supply within the gate of
-- it, or by a reviewed row. Until then the old units stay.
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
    where review_calendar.is_due
),

supplies as (
    select
        due.profile,
        due.effective_date,
        due.coin_id,
        observations.market_date as supply_date,
        median(observations.circulating_supply) as seen_supply,
        count(*) as source_count,
        max(observations.circulating_supply) / min(observations.circulating_supply) - 1
            as source_gap_fraction
    from due
    inner join observations
        on
            due.coin_id = observations.coin_id
            and observations.market_date
            between due.cutoff_date - due.input_max_age_days + 1
            and due.weighting_date
            and due.weighting_known_by >= observations.known_from
            and (
                observations.known_to is null
                or due.weighting_known_by < observations.known_to
            )
    group by due.profile, due.effective_date, due.coin_id, observations.market_date
    qualify row_number() over (
        partition by due.profile, due.effective_date, due.coin_id
        order by observations.market_date desc
    ) = 1
),

judged as (
    select
        due.profile,
        due.review_number,
        due.effective_date,
        due.coin_id,
        due.supply_change_gate_fraction,
        due.supply_agreement_fraction,
        supplies.supply_date,
        supplies.seen_supply,
        (
            supplies.source_count > 1
            and supplies.source_gap_fraction <= due.supply_agreement_fraction
        )
        or confirmations.coin_id is not null as is_confirmed
    from due
    inner join supplies
        on
            due.profile = supplies.profile
            and due.effective_date = supplies.effective_date
            and due.coin_id = supplies.coin_id
    left join confirmations
        on
            due.coin_id = confirmations.coin_id
            and due.effective_date = confirmations.effective_date
),

review_dates as (
    select distinct
        profile,
        review_number,
        weighting_date
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
                    and successors.effective_date <= review_dates.weighting_date
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
