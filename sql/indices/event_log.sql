-- Grain: one row per profile, event_date, event_kind and subject.
-- Everything that happened to the indices between and at the reviews, in words.
with divisor_ledger as (
    select * from indices.divisor_ledger
    where index_id = 'top100'
),

review as (
    select * from indices.review
    where index_id = 'top100'
),

deletions as (
    select * from indices.deletion
),

baskets as (
    select * from indices.basket
    where index_id = 'top100'
),

coin_link as (
    select * from reference.coin_link
),

redenominations as (
    select * from reference.redenomination
),

supplies as (
    select * from indices.review_supply
    where
        is_held_back
        and (profile, effective_date) in (
            select
                review.profile,
                review.effective_date
            from review
            where review.status = 'effective'
        )
),

withdrawals as (
    select * from indices.review_decision
    where is_withdrawn and review_status = 'effective'
),

shortfalls as (
    select * from indices.member_shortfall
),

reviews as (
    select
        profile,
        weighting_date as event_date,
        'review ' || status as event_kind,
        cast(effective_date as varchar) as subject,
        case
            when status in ('effective', 'pro forma')
                then
                    coalesce(addition_count, 0) || ' in, '
                    || coalesce(removal_count, 0) || ' out; in: '
                    || coalesce(additions, 'none') || '; out: '
                    || coalesce(removals, 'none')
            when status = 'blocked' then 'without a class: ' || unclassified_coin_ids
            else eligible_count || ' eligible candidates'
        end as detail
    from review
),

bases as (
    select
        profile,
        event_date,
        'base' as event_kind,
        'all indices' as subject,
        'first close of the family' as detail
    from divisor_ledger
    where event_kind = 'base'
),

removed as (
    select
        profile,
        deletion_date as event_date,
        'deletion' as event_kind,
        coin_id as subject,
        reason || '; out at ' || removal_price_usd
        || ' US dollars, last priced on ' || last_observed_date as detail
    from deletions
),

migrated as (
    select
        baskets.profile,
        coin_link.effective_date as event_date,
        coin_link.kind as event_kind,
        coin_link.predecessor_coin_id as subject,
        'one unit is ' || coin_link.units_per_predecessor || ' of '
        || coin_link.successor_coin_id || '; the level does not change' as detail
    from coin_link
    inner join baskets
        on
            coin_link.predecessor_coin_id = baskets.coin_id
            and coin_link.effective_date > baskets.basket_date
            and (
                baskets.next_basket_date is null
                or coin_link.effective_date <= baskets.next_basket_date
            )
),

redenominated as (
    select
        baskets.profile,
        redenominations.effective_date as event_date,
        'redenomination' as event_kind,
        redenominations.coin_id as subject,
        'one old unit is ' || redenominations.new_units_per_old_unit
        || ' new ones; the level does not change' as detail
    from redenominations
    inner join baskets
        on
            redenominations.coin_id = baskets.coin_id
            and redenominations.effective_date > baskets.basket_date
            and (
                baskets.next_basket_date is null
                or redenominations.effective_date <= baskets.next_basket_date
            )
),

held_back as (
    select
        supplies.profile,
        supplies.effective_date - 1 as event_date,
        'supply held back' as event_kind,
        supplies.coin_id as subject,
        'seen ' || supplies.seen_supply || ', kept ' || supplies.units
        || ' until it is confirmed' as detail
    from supplies
),

withdrawn as (
    select
        profile,
        effective_date - 1 as event_date,
        'withdrawal' as event_kind,
        coin_id as subject,
        'rank ' || candidate_rank || ' takes no seat; ' || reason as detail
    from withdrawals
),

short as (
    select
        profile,
        shortfall_date as event_date,
        'extraordinary review due' as event_kind,
        'small' as subject,
        member_count || ' members left, at least ' || min_small_member_count
        || ' asked for' as detail
    from shortfalls
),

events as (
    select * from reviews
    union all
    select * from bases
    union all
    select * from removed
    union all
    select * from migrated
    union all
    select * from redenominated
    union all
    select * from held_back
    union all
    select * from withdrawn
    union all
    select * from short
),

final as (
    select
        profile,
        event_date,
        event_kind,
        subject,
        detail
    from events
)

select * from final
