-- Grain: one row per profile, index_id, basket_date and coin_id.
-- What every index holds from the close of basket_date on: the members of a review,
-- less those removed up to and including that day.
with constituents as (
    select * from indices.constituent
),

deletions as (
    select * from indices.deletion
),

definitions as (
    select * from reference.index_definition
),

reviews as (
    select distinct
        profile,
        effective_date,
        weighting_date
    from constituents
),

-- A review opens a basket in every index, also one that it leaves empty.
openings as (
    select
        reviews.profile,
        definitions.index_id,
        reviews.effective_date,
        reviews.weighting_date as basket_date,
        'review' as event_kind
    from reviews
    cross join definitions
    union
    select
        constituents.profile,
        constituents.index_id,
        constituents.effective_date,
        deletions.deletion_date as basket_date,
        'deletion' as event_kind
    from constituents
    inner join deletions
        on
            constituents.profile = deletions.profile
            and constituents.effective_date = deletions.effective_date
            and constituents.coin_id = deletions.coin_id
    -- At the close of a weighting date the new basket begins anyway.
    left join reviews
        on
            constituents.profile = reviews.profile
            and deletions.deletion_date = reviews.weighting_date
    where reviews.weighting_date is null
),

spans as (
    select
        *,
        lead(basket_date) over (
            partition by profile, index_id order by basket_date
        ) as next_basket_date
    from openings
),

final as (
    select
        spans.profile,
        spans.index_id,
        spans.basket_date,
        constituents.coin_id,
        spans.next_basket_date,
        spans.effective_date,
        spans.event_kind,
        constituents.units * constituents.weight_factor as units
    from spans
    inner join constituents
        on
            spans.profile = constituents.profile
            and spans.index_id = constituents.index_id
            and spans.effective_date = constituents.effective_date
    left join deletions
        on
            constituents.profile = deletions.profile
            and constituents.effective_date = deletions.effective_date
            and constituents.coin_id = deletions.coin_id
    where
        deletions.deletion_date is null
        or spans.basket_date < deletions.deletion_date
)

select * from final
