-- Grain: one row per fact_id.
-- Our figures beside those that others published about comparable indices. A difference
-- beyond the tolerance is shown, never hidden: it is drift, an unknown rule of theirs
-- or a fault of ours.
with facts as (
    select * from reference.published_fact
),

levels as (
    select * from indices.index_level_daily
),

weights as (
    select * from indices.constituent_daily
),

reviews as (
    select * from indices.review
),

returns as (
    select
        facts.fact_id,
        last_level.level / first_level.level - 1 as our_value
    from facts
    inner join levels as first_level
        on
            facts.profile = first_level.profile
            and facts.index_id = first_level.index_id
            and facts.from_date = first_level.market_date
    inner join levels as last_level
        on
            facts.profile = last_level.profile
            and facts.index_id = last_level.index_id
            and facts.to_date = last_level.market_date
    where facts.metric = 'return'
),

shares as (
    select
        facts.fact_id,
        part.market_value_usd / whole.market_value_usd as our_value
    from facts
    inner join levels as part
        on
            facts.profile = part.profile
            and facts.index_id = part.index_id
            and facts.to_date = part.market_date
    inner join levels as whole
        on
            facts.profile = whole.profile
            and facts.to_date = whole.market_date
            and whole.index_id = 'top100'
    where facts.metric = 'share'
),

coin_weights as (
    select
        facts.fact_id,
        weights.weight_fraction as our_value
    from facts
    inner join weights
        on
            facts.profile = weights.profile
            and facts.index_id = weights.index_id
            and facts.to_date = weights.market_date
            and facts.metric = 'weight:' || weights.coin_id
),

additions as (
    select
        facts.fact_id,
        avg(reviews.addition_count) as our_value
    from facts
    inner join reviews
        on
            facts.profile = reviews.profile
            and facts.index_id = reviews.index_id
            and reviews.effective_date between facts.from_date and facts.to_date
    where facts.metric = 'additions per review' and reviews.status = 'effective'
    group by facts.fact_id
),

ours as (
    select * from returns
    union all
    select * from shares
    union all
    select * from coin_weights
    union all
    select * from additions
),

final as (
    select
        facts.fact_id,
        facts.provider,
        facts.profile,
        facts.index_id,
        facts.metric,
        facts.from_date,
        facts.to_date,
        facts.value as published_value,
        ours.our_value,
        ours.our_value - facts.value as difference,
        facts.tolerance,
        facts.tolerance_kind,
        case
            when ours.our_value is null then 'no figure of ours for those days'
            when
                abs(ours.our_value - facts.value) <= case facts.tolerance_kind
                    when 'relative' then facts.tolerance * abs(facts.value)
                    else facts.tolerance
                end
                then 'within tolerance'
            else 'beyond tolerance'
        end as verdict,
        facts.source
    from facts
    left join ours on facts.fact_id = ours.fact_id
)

select * from final
