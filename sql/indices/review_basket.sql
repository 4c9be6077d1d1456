-- Grain: one row per profile, effective_date, index_id and coin_id.
-- The basket that every review sets for every index, pro forma ones included: units are
-- the circulating supply on the weighting date, frozen until the next review, times the
-- weight factor that an equal or capped index sets on that date. A review whose
-- weighting date has not come is valued at the last close.
with review_calendar as (
    select * from indices.review_calendar
),

seats as (
    select * from indices.review_seat
    where segment is not null
),

supplies as (
    select * from indices.review_supply
),

prices as (
    select * from indices.constituent_price_daily
),

definitions as (
    select * from reference.index_definition
),

valued as (
    select
        seats.profile,
        seats.effective_date,
        seats.coin_id,
        seats.segment,
        seats.candidate_rank,
        calendar.weighting_date,
        calendar.valuation_date,
        calendar.is_due,
        calendar.rulebook_version,
        supplies.units,
        supplies.supply_date,
        supplies.is_held_back,
        prices.price_usd,
        -- Values are added as decimals, which end there; no market is worth so much.
        case
            when prices.price_usd * supplies.units >= 1e26
                then error(
                    seats.coin_id || ' would be worth '
                    || prices.price_usd * supplies.units || ' US dollars on '
                    || calendar.valuation_date || ': correct its price or its supply'
                )
            else prices.price_usd * supplies.units
        end as market_value_usd
    from seats
    inner join review_calendar as calendar
        on
            seats.profile = calendar.profile
            and seats.effective_date = calendar.effective_date
    inner join supplies
        on
            seats.profile = supplies.profile
            and seats.effective_date = supplies.effective_date
            and seats.coin_id = supplies.coin_id
    inner join prices
        on
            seats.coin_id = prices.coin_id
            and calendar.valuation_date = prices.market_date
),

baskets as (
    select
        definitions.index_id,
        definitions.weighting,
        definitions.cap_first_fraction,
        definitions.cap_rest_fraction,
        valued.*
    from valued
    inner join definitions
        on
            definitions.universe in ('top100', valued.segment)
            and valued.coin_id is distinct from definitions.excluded_coin_id
),

totals as (
    select
        profile,
        effective_date,
        index_id,
        cast(sum(cast(market_value_usd as decimal(38, 12))) as double)
            as index_value_usd,
        count(*) as constituent_count
    from baskets
    group by profile, effective_date, index_id
),

weighted as (
    select
        baskets.*,
        totals.index_value_usd,
        totals.constituent_count,
        baskets.market_value_usd / totals.index_value_usd as cap_weight,
        row_number() over (
            partition by baskets.profile, baskets.effective_date, baskets.index_id
            order by baskets.market_value_usd desc, baskets.coin_id asc
        ) as size_rank
    from baskets
    inner join totals
        on
            baskets.profile = totals.profile
            and baskets.effective_date = totals.effective_date
            and baskets.index_id = totals.index_id
),

-- Capping without iteration: one option per number of capped names, with and without
-- the first among them. What the capped names leave is shared by the others in
-- proportion; the option with the fewest capped names that breaks no cap is the one
-- that capping again and again would end at.
cumulated as (
    select
        profile,
        effective_date,
        index_id,
        size_rank,
        constituent_count,
        cap_first_fraction,
        cap_rest_fraction,
        first_value(cap_weight) over by_size as first_weight,
        -- What is smaller, added up from the smallest: one minus the rest loses it.
        coalesce(
            sum(cap_weight) over (
                partition by profile, effective_date, index_id
                order by size_rank desc
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as smaller_weight,
        lead(cap_weight) over by_size as next_weight,
        cap_weight as last_capped_weight
    from weighted
    where weighting = 'capped'
    window by_size as (
        partition by profile, effective_date, index_id order by size_rank
    )
),

options as (
    select
        cumulated.*,
        choices.first_count,
        cumulated.size_rank - 1 as rest_count,
        1
        - choices.first_count * cumulated.cap_first_fraction
        - (cumulated.size_rank - 1) * cumulated.cap_rest_fraction as free_fraction,
        cumulated.smaller_weight
        + (1 - choices.first_count) * cumulated.first_weight as free_weight
    from cumulated
    cross join (values (0), (1)) as choices (first_count)
),

caps as (
    select
        profile,
        effective_date,
        index_id,
        first_count,
        rest_count,
        free_fraction / free_weight as scale_factor
    from options
    where
        free_fraction > 0
        and free_weight > 0
        -- The others stay below their caps ...
        and (
            first_count = 1
            or first_weight * free_fraction / free_weight
            <= cap_first_fraction + 1e-12
        )
        and (
            next_weight is null
            or next_weight * free_fraction / free_weight <= cap_rest_fraction + 1e-12
        )
        -- ... and the capped names would not have.
        and (
            first_count = 0
            or first_weight * free_fraction / free_weight
            >= cap_first_fraction - 1e-12
        )
        and (
            rest_count = 0
            or last_capped_weight * free_fraction / free_weight
            >= cap_rest_fraction - 1e-12
        )
    qualify row_number() over (
        partition by profile, effective_date, index_id
        order by first_count + rest_count, first_count
    ) = 1
),

targeted as (
    select
        weighted.*,
        case weighted.weighting
            when 'cap' then weighted.cap_weight
            when 'equal' then 1 / weighted.constituent_count
            else
                case
                    -- Too few names for the cap: an audit stops such a build.
                    when caps.scale_factor is null then 1 / weighted.constituent_count
                    when weighted.size_rank = 1 and caps.first_count = 1
                        then weighted.cap_first_fraction
                    when
                        weighted.size_rank > 1
                        and weighted.size_rank <= caps.rest_count + 1
                        then weighted.cap_rest_fraction
                    else weighted.cap_weight * caps.scale_factor
                end
        end as weight_fraction,
        weighted.weighting = 'capped' and caps.scale_factor is null as is_cap_infeasible
    from weighted
    left join caps
        on
            weighted.profile = caps.profile
            and weighted.effective_date = caps.effective_date
            and weighted.index_id = caps.index_id
),

final as (
    select
        profile,
        effective_date,
        index_id,
        coin_id,
        segment,
        candidate_rank,
        row_number() over (
            partition by profile, effective_date, index_id
            order by weight_fraction desc, market_value_usd desc, coin_id asc
        ) as weight_rank,
        weighting_date,
        valuation_date,
        is_due,
        units,
        supply_date,
        is_held_back,
        price_usd,
        case
            when weighting = 'cap' then 1.0
            else weight_fraction / cap_weight
        end as weight_factor,
        weight_fraction * index_value_usd as market_value_usd,
        weight_fraction,
        is_cap_infeasible,
        rulebook_version
    from targeted
)

select * from final
