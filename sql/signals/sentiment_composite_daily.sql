-- Grain: one row per market_date.
-- How much appetite for risk there is, 0 (averse) to 100 (seeking): the mean of five
-- pillars, each the mean of its components. It describes and does not forecast. Needs
-- three pillars and six tenths of the weight. Low and high are the least and the most
-- it would be with one of its pillars left out; the twin is what other weights would
-- make of it.
with components as (
    select * from signals.sentiment_component_daily
),

twins as (
    select * from signals.sentiment_twin_daily
),

cut_offs as (
    select
        3 as min_pillars,
        0.6 as min_weight_fraction,
        75 as greed_score,
        25 as fear_score
),

-- Means and sums of decimals, which do not depend on their order.
pillars as (
    select
        market_date,
        pillar,
        avg(cast(oriented_pct as decimal(18, 9))) as pillar_score
    from components
    group by market_date, pillar
),

availability as (
    select
        market_date,
        count(*) as component_count,
        count(*) filter (where is_available) as available_count,
        coalesce(
            cast(
                sum(cast(weight_fraction as decimal(18, 15))) filter (
                    where is_available
                ) as double
            ),
            0
        ) as weight_available_fraction,
        coalesce(
            string_agg(component_id, ', ' order by component_id) filter (
                where not is_available
            ),
            ''
        ) as missing_components
    from components
    group by market_date
),

scores as (
    select
        market_date,
        count(pillar_score) as pillar_count,
        avg(cast(pillar_score as decimal(18, 9))) as mean_score,
        cast(sum(cast(pillar_score as decimal(18, 9))) as double) as score_sum,
        min(pillar_score) as lowest_score,
        max(pillar_score) as highest_score,
        max(pillar_score) filter (where pillar = 'relative_strength')
            as relative_strength_score,
        max(pillar_score) filter (where pillar = 'positioning') as positioning_score,
        max(pillar_score) filter (where pillar = 'stress') as stress_score,
        max(pillar_score) filter (where pillar = 'cross_asset') as cross_asset_score,
        max(pillar_score) filter (where pillar = 'external') as external_score
    from pillars
    group by market_date
),

judged as (
    select
        scores.*,
        availability.weight_available_fraction,
        availability.missing_components,
        availability.available_count,
        scores.pillar_count >= cut_offs.min_pillars
        -- Weights are thirds and halves of a fifth.
        and round(availability.weight_available_fraction, 9)
        >= cut_offs.min_weight_fraction as is_valid
    from scores
    cross join cut_offs
    inner join availability on scores.market_date = availability.market_date
),

final as (
    select
        judged.market_date,
        case when judged.is_valid then judged.mean_score end as composite_score,
        case
            when judged.is_valid
                then
                    (judged.score_sum - judged.highest_score)
                    / (judged.pillar_count - 1)
        end as composite_low_score,
        case
            when judged.is_valid
                then
                    (judged.score_sum - judged.lowest_score) / (judged.pillar_count - 1)
        end as composite_high_score,
        twins.twin_score as composite_twin_score,
        judged.relative_strength_score,
        judged.positioning_score,
        judged.stress_score,
        judged.cross_asset_score,
        judged.external_score,
        judged.pillar_count,
        judged.available_count as component_count,
        judged.weight_available_fraction,
        judged.missing_components,
        case
            when not judged.is_valid then 'insufficient'
            when judged.mean_score >= cut_offs.greed_score then 'greed'
            when judged.mean_score <= cut_offs.fear_score then 'fear'
            else 'neutral'
        end as state
    from judged
    cross join cut_offs
    left join twins on judged.market_date = twins.market_date
)

select * from final
